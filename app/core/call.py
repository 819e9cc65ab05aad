"""
The types that pass through the pipeline: a `Call` above the fallback stage, an `Attempt` below it, a `Reply` back.

Calls and attempts are frozen, so that a retry starts from the same state as the first attempt. The progress of a call
is recorded in its `Journal`, which only grows.
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

    @cached_property  # read several times per call; targets outlive calls
    def name(self) -> str:
        """Return `provider/model`, as in requests."""
        return f"{self.provider}/{self.model}"


class Tried(msgspec.Struct, frozen=True):
    """One failed attempt: its target and the code of its error."""

    target: Target
    code: str


class Recovered(msgspec.Struct, frozen=True):
    """
    A point where another target continued a broken stream, after `chars` characters.

    `origin` and `onward` are the two targets as `provider/model`; `code` is the error that broke the stream.
    """

    origin: str
    onward: str
    code: str
    chars: int

    def shown(self) -> dict[str, str | int]:
        """Return the fields as shown to clients."""
        return {"from": self.origin, "to": self.onward, "code": self.code, "chars": self.chars}


class Cost(msgspec.Struct):
    """The cost of a call so far, in US dollars; None while unknown. Hedged attempts share one instance."""

    usd: float | None = None

    def add(self, usd: float) -> None:
        """Add `usd` to the cost."""
        self.usd = (self.usd or 0.0) + usd


class AnswerHead(msgspec.Struct, frozen=True):
    """Status and headers (lower-case names) of an answer that is forwarded unchanged."""

    status: int
    headers: tuple[tuple[str, str], ...]


class Journal(msgspec.Struct):
    """
    What has happened to one call so far.

    `position` counts targets from 0; `upstream_s` is the time up to the commit point spent waiting for providers, next
    tries and others' calls; `retries_spent` says that the gateway used up its own tries, so the client should not add
    its own. `hedge` says, if a second target was asked while the first was still silent, whether that won (the second
    one answered) or lost. `dropped` names parameters that the answering provider cannot take. `cache` says what the
    cache did (hit, miss, bypass, coalesced), `cost` what the call cost as far as that is known, and `unshown` what the
    last attempt used if it said so and then failed before anything was shown. `ahead` is what its budgets were asked
    for early. `prompt` is how many tokens a request has, by estimate (ask `tokens.prompt_of`). `limits` is how the
    buckets of all rate limits that it met stand. `recovered` lists where other targets went on with a stream that broke
    off. `keep_turn` adds what was said to its session, to be called once the answer is accepted. `left` says that the
    client has left and the answer is read on without it; `over`, that the pipeline has done with the call. `notes` are
    further response headers that stages owe the client, by lower-case name. `story` is what happened step by step, if
    the caller is to see it. `head` is that of an answer that is passed on as it is.
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
    What one caller asked to be done differently for one call.

    `session` names what the call belongs to; `tags` mark it in usage reports. Of the cache, `directives` are those
    of the request's `cache-control` by name (with the number where there is one), and `cache_ttl_s` is how long this
    answer may be kept; `cache_similarity` is how similar a question must at least be for its answer to do.
    `idempotency_key` says which calls are one; `debug` asks for the story of the decisions.
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
    to a provider, lower-case. `credential` is what the request brought as its key, and `caller` whom that was found to
    be. `fingerprint` is a digest of the request as it came, where it has an idempotency key. `span` is there for a call
    that is traced.
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
        """Return the priority of the caller's key, or the requested one if that is less urgent."""
        requested, allowed = self.options.priority, self.caller.priority
        if allowed is None:
            return Priority.NORMAL if requested is None else requested
        return allowed if requested is None else max(requested, allowed)

    @property
    def route(self) -> str:
        """Return the requested model, normalized to the spelling `provider/model`."""
        return slashed(self.request.model)

    @property
    def turn(self) -> int:
        """
        Return a number that identifies the caller's key for fair queueing, 0 without a key.

        Python's hash is salted per process: the number does not reveal the key and is meaningless elsewhere.
        """
        if self.caller.known:
            return hash(self.caller.id)
        return hash(self.credential.token) if self.credential is not None else 0

    def overhead_s(self, committed: float) -> float:
        """Return the time up to the commit point that was not spent waiting for a provider."""
        return max(0.0, committed - self.started - self.journal.upstream_s)


class Attempt(msgspec.Struct, frozen=True):
    """One call aimed at one target; only the fallback stage makes these. `last` says that no target is left."""

    call: Call
    target: Target
    last: bool


class Reply(msgspec.Struct, frozen=True):
    """The result of a call: a whole answer or a stream of events."""

    body: Completion | EventStream
