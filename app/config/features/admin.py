"""The administration endpoints."""

from __future__ import annotations

from pydantic import Field, SecretStr

from app.config.fields import Section


class Admin(Section):
    """The administration endpoints."""

    token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of /admin; empty means that /admin answers 404."
    )
