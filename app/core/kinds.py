"""What a row of the error table (`app/core/errors.py`) is made of."""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

import msgspec

Category: TypeAlias = Literal[
    "configuration", "authentication", "permission", "network", "timeout", "rate_limit", "budget",
    "circuit_breaker", "validation", "parse", "session", "cache", "stream", "overloaded", "upstream", "internal",
]  # fmt: skip
Trigger: TypeAlias = Literal[
    "timeout", "network", "rate_limit", "server_error", "circuit_open", "context_length", "content_policy", "budget"
]


class Blame(Enum):
    """Whose fault a failure is; breakers count only TARGET."""

    CALLER = "caller"
    TARGET = "target"
    GATEWAY = "gateway"


class Again(Enum):
    """Where the gateway itself may try the same call once more."""

    NEVER = "never"
    HERE = "here"
    ELSEWHERE = "elsewhere"


class Kind(msgspec.Struct, frozen=True):
    """
    One row of the table.

    `retryable` tells the *client* whether sending the same request later can help; `again` tells the gateway where
    it may try by itself; `trigger` is the name under which configuration switches fallback on this failure on or off
    (None: `again` alone decides).
    """

    code: str
    status: int
    type: str
    category: Category
    blame: Blame
    again: Again
    retryable: bool
    suggestion: str
    trigger: Trigger | None = None
