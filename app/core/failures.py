"""What a failure is: a row of the table in `errors.py`, and the one exception type that carries it."""

from __future__ import annotations

from enum import Enum
from typing import Literal, Self, TypeAlias

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


class GatewayError(Exception):
    """
    The only exception type that crosses a stage: a row of the table, and what is special about this case.

    Args:
        message: One sentence for the caller. It may quote an upstream's own refusal of the caller's request, so it
            is shown to that caller and never logged.

        param: The path of the wrong field, as in `messages[0].role`.

        retry_after_s: Seconds after which another try makes sense, where that is known.

        suggestion: A better advice than the row's own.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.suggestion = suggestion or kind.suggestion
        self.provider: str | None = None
        self.from_upstream = False
        self.upstream_status: int | None = None
        self.retries_spent = False  # by the gateway, in the call that this was shared by
        self.limit: str | None = None
        self.allow: tuple[str, ...] = ()  # methods that the address has, of a method that it has not

    def answered_by(self, provider: str) -> Self:
        """Mark the failure as the provider's own (`source: upstream`) and return the error."""
        self.from_upstream = True
        return self.at(provider)

    def at(self, provider: str) -> Self:
        """Name the provider at which the gateway itself noticed the failure and return the error."""
        self.provider = provider
        return self
