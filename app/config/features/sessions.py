"""The section `sessions`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Bytes, Count, Lifetime, Section


class Sessions(Section):
    """Where conversations are stored."""

    store: Literal["memory", "file", "sqlite", "redis"] = Field(default="memory", description="Kind of store.")
    path: str | None = Field(default=None, description="File or directory of the stores that need one.")
    ttl_s: Lifetime = Field(default=86_400, description="Seconds after its last use that a session is kept.")
    max_bytes: Bytes = Field(default=1_048_576, description="Largest session, in bytes.")
    max_sessions: Count = Field(default=1000, description="Maximum sessions of one key.")
    max_total_bytes: Bytes = Field(
        default=268_435_456, description="Maximum bytes of all sessions together, where they are kept in memory."
    )
    trim: Literal["oldest", "none"] = Field(
        default="oldest", description="What is left out where a conversation is longer than the model's window."
    )
    context_tokens: Count | None = Field(
        default=None, description="Maximum tokens of prompt and answer in one turn; null takes the model's own window."
    )
