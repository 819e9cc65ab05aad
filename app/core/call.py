"""
The values that pass through the pipeline: a `Call` above the fallback stage, an `Attempt` below it, a `Reply` back.

Calls and attempts are frozen, so every retry starts from the same input. What happens to a call is recorded in its
`Journal`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from app.core.allow_list import slashed
from app.core.identity import ANONYMOUS, Caller, Credential
from app.core.model import Completion, Request
from app.core.request_log import Step
from app.core.rules import Standing
from app.core.stream import EventStream
from app.core.tracing import Span
from app.core.traffic.admission import Priority
from app.core.usage import Usage

if TYPE_CHECKING:
    from app.core.accounts import Ahead

NO_DIRECTIVES: Final[Mapping[str, int | None]] = MappingProxyType({})


class Target(msgspec.Struct, frozen=True, dict=True):
    """One model at one provider."""

    provider: str
    model: str

    @cached_property  # read several times per call, of targets that outlive the call
    def name(self) -> str:
        """Return `provider/model`, the name that users know."""
        return f"{self.provider}/{self.model}"


class Tried(msgspec.Struct, frozen=True):
    """A failed attempt: its target, and its code in the error table."""

    target: Target
    code: str


class Recovered(msgspec.Struct, frozen=True):
    """
    A mid-stream recovery: target `origin` failed after `chars` characters and target `onward` continued the answer.

    Targets are `provider/model`; `code` is the failure's code in the error table.
    """

    origin: str
    onward: str
    code: str
    chars: int

    def shown(self) -> dict[str, str | int]:
        """Return the form that clients see."""
        return {"from": self.origin, "to": self.onward, "code": self.code, "chars": self.chars}


class Cost(msgspec.Struct):
    """The cost of a call so far in US dollars, None while unknown; its hedged attempts share one instance."""

    usd: float | None = None

    def add(self, usd: float) -> None:
        """Add `usd` to the total; an unknown total counts as 0."""
        self.usd = (self.usd or 0.0) + usd


class AnswerHead(msgspec.Struct, frozen=True):
    """Status and headers (lower-case names) of an answer that is passed through unchanged."""

    status: int
    headers: tuple[tuple[str, str], ...]


class Journal(msgspec.Struct):
    """
    What has happened to one call so far.

    `position` is the index of the target; `upstream_s` is the time up to the commit point spent waiting for providers,
    backoff and coalesced calls; `retries_spent`: the gateway used up its own retries, so the client should not add any.
    `hedge`, if a second target was called before the first had answered: "won" if the second one answered, else "lost".
    `dropped` names parameters that the answering provider does not support. `cache` is the cache result (hit, miss,
    bypass, coalesced). `unshown` is the usage reported by the last attempt, if it then failed before anything was sent
    to the client. `ahead` is the early hold on its budgets. `prompt` is the estimated number of tokens of a
    request (use `tokens.prompt_of`). `limits` is the state of the buckets of all rate limits that applied. `recovered`
    lists the mid-stream recoveries. `keep_turn` appends this turn to the session; it is called once the answer is
    accepted. `left`: the client disconnected and the answer is still read to its end; `over`: the pipeline is done with
    the call. `notes` are additional response headers set by stages (lower-case names). `story` lists the steps of the
    call, if the caller may see them. `head` is that of an answer that is passed through unchanged.
    """

    attempts: int = 0
    position: int = 0
    target: Target | None = None
    tried: list[Tried] = msgspec.field(default_factory=list)
    upstream_s: float = 0.0
    retries_spent: bool = False
    hedge: Literal["won", "lost"] | None = None
    dropped: tuple[str, ...] = ()
    cache: str | None = None
    limits: tuple[Standing, ...] = ()
    cost: Cost = msgspec.field(default_factory=Cost)
    unshown: Usage | None = None
    ahead: Ahead | None = None
    prompt: tuple[Request, int] | None = None
    recovered: tuple[Recovered, ...] = ()
    keep_turn: Callable[[], Awaitable[None]] | None = None
    left: bool = False
    over: bool = False
    notes: dict[str, str] = msgspec.field(default_factory=dict)
    story: list[Step] | None = None
    head: AnswerHead | None = None


class CallOptions(msgspec.Struct, frozen=True):
    """
    Options that the client set for one call.

    `session` is the id of its session; `tags` label it in usage reports. `directives` are those of the request's
    `cache-control` by name (with their number, if any), `cache_ttl_s` is how long the answer may be cached, and
    `cache_similarity` is the minimum similarity of a question whose cached answer is reused. Calls with the same
    `idempotency_key` are executed once; `debug` requests the trace of the decisions.
    """

    retry: bool = True
    fallback: bool = True
    max_attempts: int | None = None
    circuit_breaker: bool = True
    session: str | None = None
    priority: Priority | None = None
    caching: bool = True
    cache_ttl_s: float | None = None
    cache_similarity: float | None = None
    directives: Mapping[str, int | None] = NO_DIRECTIVES
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    debug: bool = False


class Call(msgspec.Struct, frozen=True):
    """
    One client request, as every stage sees it.

    `started` and `deadline` are seconds of the gateway's clock; `headers` are the request headers that may be forwarded
    to a provider, lower-case. `credential` is the key that the request presented, and `caller` the identity it belongs
    to. `fingerprint` is a digest of the request as received, if it has an idempotency key. `span` is set if the call is
    traced.
    """

    id: str
    endpoint: str
    request: Request
    started: float
    deadline: float
    options: CallOptions
    headers: tuple[tuple[str, str], ...]
    journal: Journal
    credential: Credential | None = None
    caller: Caller = ANONYMOUS
    fingerprint: bytes = b""
    span: Span | None = None

    @property
    def priority(self) -> Priority:
        """Return the priority of the caller's key, or the requested one if that is lower; NORMAL if neither is set."""
        requested, allowed = self.options.priority, self.caller.priority
        if allowed is None:
            return Priority.NORMAL if requested is None else requested
        return allowed if requested is None else max(requested, allowed)

    @property
    def route(self) -> str:
        """Return the requested model, in the spelling `provider/model` if it was given as `provider:model`."""
        return slashed(self.request.model)

    @property
    def turn(self) -> int:
        """
        Return the number by which a queue shares its turns fairly: the same for the same key, 0 without one.

        Python's hash is seeded per process, so the number reveals nothing about the key and is valid only here.
        """
        if self.caller.known:
            return hash(self.caller.id)
        return hash(self.credential.token) if self.credential is not None else 0

    def overhead_s(self, committed: float) -> float:
        """Return the seconds up to the commit point, less `upstream_s` of the journal."""
        return max(0.0, committed - self.started - self.journal.upstream_s)


class Attempt(msgspec.Struct, frozen=True):
    """A call to one target; only the fallback stage creates these. `last`: no further target is left."""

    call: Call
    target: Target
    last: bool


class Reply(msgspec.Struct, frozen=True):
    """The result of a call: a whole answer or a stream of events."""

    body: Completion | EventStream
