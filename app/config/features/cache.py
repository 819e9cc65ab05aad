"""The sections `cache` and `idempotency`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.config.fields import Bytes, Count, Lifetime, ModelName, Number, Ratio, Seconds, Section

CachedOperation = Literal["chat", "completions", "embeddings", "moderations", "rerank"]
# At most a year; 0 disables it.
Grace = Annotated[Number, Field(ge=0, le=31_536_000)]


class SemanticCache(Section):
    """Answers for prompts that mean the same."""

    enabled: bool = Field(default=False, description="Whether similar prompts share an answer.")
    model: ModelName | None = Field(default=None, description="Model that turns prompts into vectors; provider/model.")
    threshold: Annotated[Number, Field(ge=0.8, le=1)] = Field(
        default=0.95, description="Least similarity (cosine) of two prompts; a caller can only ask for more."
    )
    timeout_s: Seconds = Field(default=2, description="Seconds that a vector may take before a call goes without one.")
    max_entries: Count = Field(
        default=10_000, description="Maximum prompts to compare with: per process, or in a Redis 8."
    )


class Cache(Section):
    """Stored answers."""

    enabled: bool = Field(default=False, description="Whether complete answers are stored.")
    ttl_s: Lifetime = Field(default=3600, description="Seconds that a stored answer is used.")
    ttl_jitter: Ratio = Field(default=0.1, description="Random share of ttl_s, at most, by which answers end earlier.")
    max_entries: Count = Field(default=1000, description="Maximum stored answers.")
    max_bytes: Bytes = Field(default=104_857_600, description="Maximum bytes of stored answers.")
    max_entry_bytes: Bytes = Field(default=1_048_576, description="Largest answer that is stored, in bytes.")
    eviction: Literal["lru", "lfu", "fifo"] = Field(
        default="lru", description="Which answer goes first when it is full."
    )
    scope: Literal["key", "team", "global"] = Field(
        default="key", description="Who shares answers: callers with the same key, of the same team, or all."
    )
    coalesce: bool = Field(default=True, description="Whether equal calls at the same time share one upstream call.")
    replay_pace: Literal["at_once", "as_recorded"] = Field(
        default="at_once", description="How fast a stored answer is streamed: at once, or as it once came."
    )
    stale_while_revalidate_s: Grace = Field(
        default=0, description="Seconds after ttl_s in which the old answer is given while a new one is fetched."
    )
    stale_if_error_s: Grace = Field(
        default=0, description="Seconds after ttl_s in which the old answer is given if there is no new one to be had."
    )
    operations: tuple[CachedOperation, ...] = Field(
        default=("chat", "completions", "embeddings", "moderations", "rerank"), description="What is stored at all."
    )
    tools: bool = Field(default=False, description="Whether requests that offer tools may have a stored answer.")
    several_choices: bool = Field(default=False, description="Whether requests with n above 1 may have one.")
    media: bool = Field(default=True, description="Whether requests with images, audio or files may be cached.")
    seeds: bool = Field(default=True, description="Whether requests that choose a seed may have one.")
    truncated: bool = Field(default=False, description="Whether answers that a limit of tokens cut short are stored.")
    max_temperature: Annotated[Number, Field(ge=0, le=10)] | None = Field(
        default=None, description="Requests with a higher temperature (1 if they have none) never have one; null: any."
    )
    ignore_fields: tuple[str, ...] = Field(
        default=(), description="Fields of a request that make no difference, such as user or metadata."
    )
    store: Literal["auto", "memory", "redis"] = Field(
        default="auto", description="Where answers are: auto is redis if redis.url is set, else memory."
    )
    copies: bool = Field(default=True, description="With redis: whether each process keeps copies in its memory.")
    compress_min_bytes: Bytes = Field(default=4096, description="With redis: larger answers are compressed.")
    semantic: SemanticCache = SemanticCache()


class Idempotency(Section):
    """How long answers of calls with an idempotency key are stored for repeated calls."""

    enabled: bool = Field(default=True, description="Whether idempotency keys are heeded here; false passes them on.")
    ttl_s: Lifetime = Field(default=86_400, description="Seconds that an answer is kept.")
    max_entries: Count = Field(default=10_000, description="Maximum answers kept in memory.")
    entry_max_bytes: Bytes = Field(default=1_048_576, description="Largest answer that is kept, in bytes.")
    max_bytes: Bytes = Field(default=67_108_864, description="Maximum bytes of all answers kept in memory.")
