"""The section `redis`; `RedisFail` says what each feature does while Redis is unavailable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.config.fields import KeyPrefix, Number, RedisUrl, Section


class RedisFail(Section):
    """What happens to each feature while Redis is unreachable; every feature with shared state adds its own field."""

    circuits: Literal["local", "open", "closed"] = Field(
        default="local", description="local decides per process, open lets every call through, closed refuses them."
    )
    keys: Literal["local", "closed"] = Field(
        default="local", description="local accepts the last known keys, closed refuses keys that are only in Redis."
    )
    idempotency: Literal["local", "open", "closed"] = Field(
        default="local", description="local: repeats are known to their own process; open and closed as above."
    )
    cache: Literal["local", "open", "closed"] = Field(
        default="local", description="local keeps answers per process, open asks a provider each time, closed refuses."
    )
    limits: Literal["local", "open", "closed"] = Field(
        default="local", description="local gives each replica its part, open lets every call through, closed none."
    )
    budgets: Literal["local", "open", "closed"] = Field(
        default="local", description="local lets 1 % of each budget be spent per process, open and closed as above."
    )


class Redis(Section):
    """The store that several processes share."""

    url: RedisUrl = Field(default=None, description="Address of Redis; null keeps state in memory, in one process.")
    timeout_s: Annotated[Number, Field(ge=0.001, le=5)] = Field(
        default=0.05, description="Seconds that a call waits for Redis at most."
    )
    connect_s: Annotated[Number, Field(ge=0.01, le=60)] = Field(
        default=2, description="Seconds to open a connection to Redis, in the background."
    )
    key_prefix: KeyPrefix = Field(default="wizard", description="Beginning of every key; one for each gateway.")
    fail: RedisFail = RedisFail()
