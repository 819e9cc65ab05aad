"""Who may call."""

from __future__ import annotations

from pydantic import Field

from app.config.fields import Section


class Auth(Section):
    """Who may call."""

    required: bool = Field(default=False, description="Whether every call needs a virtual key.")
