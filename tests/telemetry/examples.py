"""Signals as the pipeline sends them, and stand-ins for the clock and the file that log lines go to."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

import msgspec

from app.core.signals import (
    AdminActed,
    AdmissionLimitChanged,
    AttemptEnded,
    BudgetExceeded,
    BudgetExhausted,
    BudgetReached,
    CallEnded,
    CallForbidden,
    CallQueued,
    CallRefused,
    CallRepeated,
    CallShed,
    CallStarted,
    CallUnqueued,
    CircuitChanged,
    ClientLeft,
    ConfigRejected,
    ConfigReloaded,
    CredentialRefused,
    DrainEnded,
    DrainStarted,
    FellBack,
    GuardComplained,
    HedgeEnded,
    HedgeStarted,
    InternalFault,
    KeyChanged,
    KeySetAside,
    LimitExceeded,
    LocalModelChanged,
    Overloaded,
    ProviderHealthChanged,
    ProviderLimitNear,
    Redacted,
    RetryScheduled,
    SessionTurnKept,
    SessionTurnLost,
    Signal,
    Spent,
    StateDegraded,
    StreamNotRecovered,
    StreamRecovered,
    StreamResumed,
    StreamStarted,
    StreamTrimmed,
    TokenKeysChanged,
    WorkerReplaced,
)
from app.core.usage import Usage

WALL_S = 1_795_343_400.0625  # 2026-11-22T10:30:00.0625Z

STARTED = CallStarted(request_id="req_1", endpoint="/v1/chat/completions", model="fast", stream=False)
STREAM_STARTED = StreamStarted(request_id="req_1", provider="openai", model="gpt-4o-mini", first_token_s=0.25)
TRIMMED = StreamTrimmed(request_id="req_1", events=7)
RETRY = RetryScheduled(
    request_id="req_1",
    provider="openai",
    model="gpt-4o-mini",
    code="target_failed",
    category="upstream",
    attempt=1,
    pause_s=0.5,
)
FELL_BACK = FellBack(request_id="req_1", origin="openai/gpt-4o-mini", onward="box/small", code="target_busy")
RECOVERED = StreamRecovered("req_1", "openai/gpt-4o-mini", "box/small", "stream_broken", 120)
NOT_RECOVERED = StreamNotRecovered("req_1", "openai/gpt-4o-mini", "timeout_idle", "unable")
HEDGE = HedgeStarted(request_id="req_1", origin="openai/gpt-4o-mini", onward="box/small", delay_s=1.25)
HEDGE_ENDED = HedgeEnded(request_id="req_1", origin="openai/gpt-4o-mini", onward="box/small", outcome="won")
ATTEMPT = AttemptEnded(request_id="req_1", provider="openai", model="gpt-4o-mini", outcome="completed", code="")
QUEUED = CallQueued(priority="low")
UNQUEUED = CallUnqueued(priority="low", wait_s=1.5)
SHED = CallShed(request_id="req_1", priority="low", reason="queue_full")
SPENT = Spent(
    request_id="req_1",
    key="team-a",
    team="red",
    route="fast",
    provider="openai",
    model="gpt-4o-mini",
    usage=Usage(9, 4, 13),
    cost_nusd=3_750,
    estimated=False,
    outcome="completed",
    at=WALL_S,
)
BUDGET = BudgetReached(budget="everyone", share=0.8, spent_usd=40.5, limit_usd=50.0)
EXHAUSTED = BudgetExhausted(budget="everyone", spent_usd=49.5, held_usd=0.25, limit_usd=50.0)
NO_ROOM = BudgetExceeded(budget="everyone")
OVERLOADED = Overloaded(refused=3, waiting=100, in_flight=50, limit=50)
LIMIT = AdmissionLimitChanged(limit=50)
COMPLAINED = GuardComplained(
    request_id="req_1", guard="injection", side="prompt", action="flag", reason="user_text", score=0.75
)
REDACTED = Redacted(request_id="req_1", side="prompt", detector="email", action="tokenize", count=2)
ENDED = CallEnded(
    request_id="req_1",
    endpoint="/v1/chat/completions",
    model="fast",
    provider="openai",
    target_model="gpt-4o-mini",
    stream=False,
    outcome="completed",
    status=200,
    code="",
    category="",
    attempts=1,
    position=0,
    duration_s=0.75,
    overhead_s=0.0005,
    first_token_s=None,
    tokens_per_s=None,
    usage=Usage(prompt_tokens=12, completion_tokens=30, total_tokens=42),
)
REFUSED = CallRefused(request_id="req_1", endpoint="/v1/chat/completions", status=400, code="invalid_json")
FAULT = InternalFault(request_id="req_1", error="KeyError", trace="app/api/chat.py:12 post\napp/api/chat.py:40 _open")
KEY_SET_ASIDE = KeySetAside(provider="openai", position=2, reason="rate_limited", pause_s=20.0)
LOCAL_MODEL = LocalModelChanged(state="ready", reason="loaded")
OPENED = CircuitChanged(
    provider="openai",
    model="gpt-4o-mini",
    before="closed",
    now="open",
    reason="failures",
    failures=5,
    calls=8,
    open_s=30.0,
)
HALF_OPENED = CircuitChanged("openai", "gpt-4o-mini", "open", "half_open", "probing")
CLOSED = CircuitChanged("openai", "gpt-4o-mini", "half_open", "closed", "recovered")
DEGRADED = StateDegraded(degraded=True, reason="TimeoutError")
RESTORED = StateDegraded(degraded=False, reason="TimeoutError")
EXCEEDED = LimitExceeded(request_id="req_1", limit="everyone", measure="requests", wait_s=1.5, shadow=False)
SHADOWED = msgspec.structs.replace(EXCEEDED, wait_s=None, shadow=True)
DOWN = ProviderHealthChanged("openai", up=False, code="target_failed")
NEAR = ProviderLimitNear("openai", "gpt-4o-mini", "tokens", 900, 10_000)
RELOADED = ConfigReloaded(before="0a1b2c", now="3d4e5f", changes=1, changed="models.fast.strategy")
REJECTED = ConfigRejected(problems=2, path="providers.openai.base_url")
NOT_KNOWN = CredentialRefused(request_id="req_1", reason="revoked", key_id="team-a")
FORBIDDEN = CallForbidden(request_id="req_1", key_id="team-a")
ACTED = AdminActed("req_1", "DELETE /admin/keys/{key_id}", "key_1", 200, admitted=True, peer="10.0.0.7")
STRANGER = AdminActed("req_1", "", "", 401, admitted=False, peer="10.0.0.7")
KEY_CHANGED = KeyChanged(key_id="key_1", action="rotated")
TOKEN_KEYS = TokenKeysChanged(keys=2)
NO_TOKEN_KEYS = TokenKeysChanged(keys=2, reason="target_unavailable")
DRAIN_STARTED = DrainStarted(in_flight=3, window_s=1.0)
DRAIN_ENDED = DrainEnded(cut=1, lasted_s=30.5)
WORKER_REPLACED = WorkerReplaced(pid=4711, reason="died", exit_code=-9)
TURN = SessionTurnKept(trimmed=4)
REPEATED = CallRepeated(request_id="req_1")
LEFT = ClientLeft(request_id="req_1", drained=True)
RESUMED = StreamResumed(request_id="req_1", events=7, live=True)
TURN_LOST = SessionTurnLost(request_id="req_1", code="state_unavailable")

SIGNALS: tuple[Signal, ...] = (
    *(
        STARTED,
        STREAM_STARTED,
        RETRY,
        FELL_BACK,
        HEDGE,
        HEDGE_ENDED,
        RECOVERED,
        NOT_RECOVERED,
        ATTEMPT,
        ENDED,
        REFUSED,
        FAULT,
    ),
    *(KEY_SET_ASIDE, LOCAL_MODEL, OPENED, DEGRADED, RELOADED, REJECTED),
    *(QUEUED, UNQUEUED, SHED, OVERLOADED, LIMIT, EXCEEDED, NEAR, DOWN),
    *(REDACTED, COMPLAINED),
    *(ACTED, STRANGER),
    *(NOT_KNOWN, FORBIDDEN, KEY_CHANGED, TOKEN_KEYS),
    *(SPENT, BUDGET, EXHAUSTED, NO_ROOM, TRIMMED, TURN, TURN_LOST, REPEATED, LEFT, RESUMED),
    *(DRAIN_STARTED, DRAIN_ENDED, WORKER_REPLACED),
)


def ended(**changes: Any) -> CallEnded:  # noqa: ANN401 - whatever the fields hold
    """Return a completed unary call with some fields changed."""
    return msgspec.structs.replace(ENDED, **changes)


def failed(code: str, category: str, status: int, **changes: Any) -> CallEnded:  # noqa: ANN401 - likewise
    """Return a call that failed."""
    return ended(outcome="failed", code=code, category=category, status=status, usage=None, **changes)


class FixedClock:
    """A clock that stands still at `WALL_S`."""

    def now(self) -> float:
        """Return zero."""
        return 0.0

    def wall(self) -> float:
        """Return `WALL_S`."""
        return WALL_S

    async def sleep(self, seconds: float) -> None:
        """Give way to others once, whatever the length."""
        await asyncio.sleep(seconds * 0)


class Blocks(io.BytesIO):
    """A file that remembers each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, block: Any, /) -> int:  # noqa: ANN401 - typeshed's buffer type is private
        """Remember and accept a block."""
        self.written.append(bytes(block))
        return len(block)

    def lines(self) -> list[dict[str, Any]]:
        """Return all JSON lines written so far."""
        return [msgspec.json.decode(line) for line in b"".join(self.written).splitlines()]


class StalledFile(Blocks):
    """A file whose reader takes nothing until `resume` is called; `reached` is set by the first write."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._resumed = threading.Event()

    def write(self, block: Any, /) -> int:  # noqa: ANN401 - as above
        """Wait for the reader."""
        self.reached.set()
        self._resumed.wait(60)
        return super().write(block)

    def resume(self) -> None:
        """Let all writes pass, waiting and later ones."""
        self._resumed.set()


class BrokenFile(Blocks):
    """A pipe that nobody reads any more."""

    def write(self, _block: Any, /) -> int:  # noqa: ANN401 - as above
        """Fail as the operating system would."""
        raise BrokenPipeError
