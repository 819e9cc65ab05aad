"""The section `admin`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from app.config.fields import Host, Section, Whole


class Admin(Section):
    """The administration endpoints."""

    token: Annotated[SecretStr, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        default=SecretStr(""), description="Bearer token of /admin; empty means that /admin answers 404."
    )
    port: Annotated[Whole, Field(ge=0, le=65_535)] | None = Field(
        default=None,
        description="TCP port that alone has /admin and /metrics; 0: a free one, null: server.port.",
    )
    host: Host = Field(default="127.0.0.1", description="Address to listen on there.")
