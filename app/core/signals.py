"""
Facts the gateway reports about itself. Whoever is interested (metrics, logs, traces, a test) listens.

A signal never holds a prompt, an answer, a key or the text of an error: only names, codes and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from app.core.usage import Usage


class CallStarted(msgspec.Struct, frozen=True):
    """A call entered the pipeline."""

    request_id: str
    endpoint: str
    model: str
    stream: bool


class StreamStarted(msgspec.Struct, frozen=True):
    """A stream committed: the client is about to see it. Seconds are counted from the start of the call."""

    request_id: str
    provider: str
    model: str
    first_token_s: float


class RetryScheduled(msgspec.Struct, frozen=True):
    """The same target will be tried again after a pause; `attempt` is the one that failed, counted from 1."""

    request_id: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    pause_s: float


class FellBack(msgspec.Struct, frozen=True):
    """A target was given up for the next one; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    code: str


class HedgeStarted(msgspec.Struct, frozen=True):
    """A second target was asked because the first was silent for `delay_s`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    delay_s: float


class HedgeEnded(msgspec.Struct, frozen=True):
    """
    It is known what a hedge was good for.

    `outcome` is won (the second target answered), lost (the first did), failed (neither) or abandoned (the call ended
    before either had).
    """

    request_id: str
    origin: str
    onward: str
    outcome: str


class AttemptEnded(msgspec.Struct, frozen=True):
    """
    One try at one target ended; for a stream, after its last byte.

    `outcome` is completed, failed, refused (the request was wrong, not the target) or abandoned; `code` names the
    error's row, or is empty.
    """

    request_id: str
    provider: str
    model: str
    outcome: str
    code: str


class CallQueued(msgspec.Struct, frozen=True):
    """A call has to wait until another one ends."""

    priority: str


class CallUnqueued(msgspec.Struct, frozen=True):
    """A call waits no more, whatever became of it."""

    priority: str
    wait_s: float


class CallShed(msgspec.Struct, frozen=True):
    """The gateway has no room for a call; `reason` is queue_full, pushed_out or too_late."""

    request_id: str
    priority: str
    reason: str


class Overloaded(msgspec.Struct, frozen=True):
    """Calls are being shed; sent once per second at most. `refused` counts those since the last time."""

    refused: int
    waiting: int
    in_flight: int
    limit: int


class AdmissionLimitChanged(msgspec.Struct, frozen=True):
    """So many calls may be worked on at the same time from now on."""

    limit: int


class CallEnded(msgspec.Struct, frozen=True):
    """
    A call left the pipeline; for a stream, after its last byte.

    `model` is what the client asked for; `provider` and `target_model` say who answered or failed last (empty when
    no target was reached). `outcome` is completed, failed or abandoned; `code` names the error's row, or is empty.
    `overhead_s` is the time up to the commit point that was not spent waiting for a provider. `tokens_per_s` is
    measured between the first and the last event of a stream whose usage is known.
    """

    request_id: str
    endpoint: str
    model: str
    provider: str
    target_model: str
    stream: bool
    outcome: str
    status: int
    code: str
    category: str
    attempts: int
    position: int
    duration_s: float
    overhead_s: float
    first_token_s: float | None
    tokens_per_s: float | None
    usage: Usage | None


class CallRefused(msgspec.Struct, frozen=True):
    """A request was refused at the edge before it became a call (bad JSON, too large a body, ...)."""

    request_id: str
    endpoint: str
    status: int
    code: str


class InternalFault(msgspec.Struct, frozen=True):
    """Something that is a bug: `error` is the exception's type and `trace` its frames, without its message."""

    request_id: str
    error: str
    trace: str


class KeySetAside(msgspec.Struct, frozen=True):
    """
    One of a provider's several keys is left out for `pause_s`.

    `position` counts the keys in the configuration from 1; `reason` is rate_limited, refused or quota_spent.
    """

    provider: str
    position: int
    reason: str
    pause_s: float


class LocalModelChanged(msgspec.Struct, frozen=True):
    """The process of the built-in model started, died or was given up; `reason` is a fixed phrase."""

    state: str
    reason: str


ELSEWHERE: Final = "elsewhere"  # the reason of a change that another replica decided, and reported as its own


class CircuitChanged(msgspec.Struct, frozen=True):
    """
    A target's circuit changed its state; `before` and `now` are closed, half_open or open.

    `reason` is a fixed word: failures, probing, probe_failed, recovered, forced (by an operator), elsewhere (another
    replica decided it) or forgotten. `failures` of `calls` ended badly in the window that opened it; `open_s` is how
    long it stays open at least.
    """

    provider: str
    model: str
    before: str
    now: str
    reason: str
    failures: int = 0
    calls: int = 0
    open_s: float | None = None


class StateDegraded(msgspec.Struct, frozen=True):
    """Shared state went out of reach (`degraded`) or came back; `reason` is the type of the error."""

    degraded: bool
    reason: str


class ConfigReloaded(msgspec.Struct, frozen=True):
    """A newer configuration is in use; both are digests."""

    before: str
    now: str


class ConfigRejected(msgspec.Struct, frozen=True):
    """A newer configuration is bad and was not used; `path` names the first of its problems."""

    problems: int
    path: str


Signal: TypeAlias = (
    CallStarted
    | StreamStarted
    | RetryScheduled
    | FellBack
    | HedgeStarted
    | HedgeEnded
    | AttemptEnded
    | CallQueued
    | CallUnqueued
    | CallShed
    | Overloaded
    | AdmissionLimitChanged
    | CallEnded
    | CallRefused
    | InternalFault
    | KeySetAside
    | LocalModelChanged
    | CircuitChanged
    | StateDegraded
    | ConfigReloaded
    | ConfigRejected
)
Listener: TypeAlias = Callable[[Signal], None]
