"""Stored answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.fields import Bytes, Count, Lifetime, Section


class SemanticCache(Section):
    """Answers for prompts that mean the same."""

    enabled: bool = Field(default=False, description="Whether similar prompts share an answer.")


class Cache(Section):
    """Stored answers."""

    enabled: bool = Field(default=False, description="Whether complete answers are stored.")
    ttl_s: Lifetime = Field(default=3600, description="Seconds that a stored answer is used.")
    max_entries: Count = Field(default=1000, description="Most stored answers.")
    max_bytes: Bytes = Field(default=104_857_600, description="Most bytes of stored answers.")
    eviction: Literal["lru", "lfu", "fifo"] = Field(
        default="lru", description="Which answer goes first when it is full."
    )
    scope: Literal["key"] = Field(default="key", description="Who shares answers: the callers with the same key.")
    semantic: SemanticCache = Field(default_factory=SemanticCache, description="Matching by meaning.")
