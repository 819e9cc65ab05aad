"""Rate limits: those of the gateway, and those that belong to one key."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from app.config.fields import Count, Expected, ModelName, Number, ProviderName, Section, Whole, listed

Scope = Literal["global", "key", "user", "team", "session", "route", "model", "provider"]
MONTH_S = 31 * 86_400


Scopes = Annotated[
    tuple[Scope, ...],
    BeforeValidator(listed),
    Field(min_length=1),
    Expected("global, key, user, team, session, route, model or provider, or a list of some of them"),
]


class KeyLimit(Section):
    """What one key may do; at least one of requests, tokens and concurrency."""

    name: ProviderName = Field(default="key", description="What callers, metrics and logs call it.")
    requests: Count | None = Field(default=None, description="Calls for each window.")
    tokens: Count | None = Field(default=None, description="Tokens of prompts and answers for each window.")
    concurrency: Count | None = Field(default=None, description="Calls at the same time, each to its last byte.")
    window_s: Annotated[Number, Field(ge=1, le=MONTH_S)] = Field(
        default=60, description="Length of the window in seconds, up to 31 days; concurrency needs none."
    )
    burst: Count | None = Field(
        default=None, description="Largest burst after idle time; null is the amount of one window."
    )
    models: tuple[ModelName, ...] = Field(
        default=(), description="Names of models to which it applies, with * for any text; empty is all."
    )
    shadow: bool = Field(default=False, description="Whether it only counts and reports, and refuses nobody.")
    lease: Whole = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="Units that a replica takes from Redis at once; 0 asks each time.",
    )
    reserve: Count = Field(default=4096, description="Maximum output tokens that are reserved in advance.")


class Limit(KeyLimit):
    """One rate limit of the gateway."""

    name: ProviderName = Field(description="What callers, metrics and logs call it; each name once.")
    per: Scopes = Field(default=("global",), description="What is counted separately; a list counts combinations.")


Limits: TypeAlias = tuple[Limit, ...]
