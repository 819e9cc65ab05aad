"""Where conversations are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Bytes, Lifetime, Section


class Sessions(Section):
    """Where conversations are kept."""

    store: Literal["memory", "file", "sqlite", "redis"] = Field(default="memory", description="Kind of store.")
    path: str | None = Field(default=None, description="File or directory of the stores that need one.")
    ttl_s: Lifetime = Field(default=86_400, description="Seconds after its last use that a session is kept.")
    max_bytes: Bytes = Field(default=1_048_576, description="Largest session, in bytes.")
