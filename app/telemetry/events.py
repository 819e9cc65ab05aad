"""Which log events a signal becomes, how severe they are, and with which fields. Tables; no I/O."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from app.core.call import End
from app.core.circuits import CircuitState
from app.core.errors import CLIENT_CLOSED, INTERNAL
from app.core.signals import (
    AdmissionLimitChanged,
    AttemptEnded,
    CallEnded,
    CallQueued,
    CallRefused,
    CallShed,
    CallStarted,
    CallUnqueued,
    CircuitChanged,
    ConfigRejected,
    ConfigReloaded,
    FellBack,
    HedgeEnded,
    HedgeStarted,
    InternalFault,
    KeySetAside,
    LocalModelChanged,
    Overloaded,
    RetryScheduled,
    Signal,
    StateDegraded,
    StreamStarted,
)
from app.telemetry.rendering import Fields

_COMPLETED, _FAILED, _ABANDONED = (end.value for end in (End.COMPLETED, End.FAILED, End.ABANDONED))  # quick to read
_OPEN = CircuitState.OPEN.value
_CIRCUIT: Mapping[str, str] = MappingProxyType(
    {
        CircuitState.CLOSED.value: "circuit_closed",
        CircuitState.HALF_OPEN.value: "circuit_half_opened",
        _OPEN: "circuit_opened",
    }
)
_WELL = frozenset({"starting", "started", "ready", "stopped"})  # every other state of the local model is a warning


SILENT = frozenset({AttemptEnded, CallQueued, CallUnqueued, CallShed, AdmissionLimitChanged})  # have no line


def severity(signal: Signal) -> int:  # noqa: PLR0911 - one case for each level, and those without a line
    """Return the level of a signal's events, as the standard library numbers them; none is below INFO."""
    match signal:
        case (
            CallStarted() | StreamStarted() | CallRefused() | ConfigReloaded()
            | RetryScheduled() | HedgeStarted() | HedgeEnded() | AttemptEnded()
        ):  # fmt: skip
            return logging.INFO
        case CallQueued() | CallUnqueued() | CallShed() | AdmissionLimitChanged():
            return logging.INFO
        case CallEnded():
            if signal.outcome != _FAILED:
                return logging.INFO
            return logging.ERROR if signal.status == INTERNAL.status else logging.WARNING
        case FellBack() | KeySetAside() | Overloaded():
            return logging.WARNING
        case InternalFault() | ConfigRejected():
            return logging.ERROR
        case LocalModelChanged():
            return logging.INFO if signal.state in _WELL else logging.WARNING
        case CircuitChanged():
            return logging.WARNING if signal.now == _OPEN else logging.INFO
        case StateDegraded():
            return logging.WARNING if signal.degraded else logging.INFO


def events(signal: Signal) -> list[tuple[str, Fields]]:  # noqa: C901, PLR0911, PLR0912 - one case for each signal
    """Return name and fields of each event, in order; fields that say nothing hold None or are empty."""
    match signal:
        case CallStarted():
            return [("request_started", _started(signal))]
        case CallEnded():
            return _ended(signal)
        case StreamStarted():
            return [("stream_started", _stream_started(signal))]
        case RetryScheduled():
            return [("retry_attempt", _retry(signal))]
        case FellBack():
            return [("fallback_triggered", _fell_back(signal))]
        case HedgeStarted() | HedgeEnded():
            return [("hedge", _hedge(signal))]
        case AttemptEnded():
            return []  # for the metrics: the log tells what became of the call, and why it went on
        case CallQueued() | CallUnqueued() | CallShed() | AdmissionLimitChanged():
            return []  # likewise: `request_failed` names each call that was refused
        case Overloaded():
            return [("call_refused_overload", _overloaded(signal))]
        case CallRefused():
            return [("request_failed", _refused(signal))]
        case InternalFault():
            return [("internal_fault", _fault(signal))]
        case KeySetAside():
            return [("provider_key_set_aside", _key_set_aside(signal))]
        case LocalModelChanged():
            return [("local_model", {"state": signal.state, "reason": signal.reason})]
        case CircuitChanged():
            return [(_CIRCUIT[signal.now], _circuit(signal))]
        case StateDegraded():
            return [("state_degraded" if signal.degraded else "state_restored", {"reason": signal.reason})]
        case ConfigReloaded():
            return [("config_reloaded", {"before": signal.before, "now": signal.now})]
        case ConfigRejected():
            return [("config_rejected", {"problems": signal.problems, "path": signal.path})]


def _started(signal: CallStarted) -> Fields:
    return {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "model": signal.model,
        "stream": signal.stream,
    }


def _stream_started(signal: StreamStarted) -> Fields:
    return {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "ttft_ms": _ms(signal.first_token_s),
    }


def _retry(signal: RetryScheduled) -> Fields:
    return {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "code": signal.code,
        "kind": signal.category,
        "attempt": signal.attempt,
        "pause_ms": _ms(signal.pause_s),
    }


def _fell_back(signal: FellBack) -> Fields:
    return {"request_id": signal.request_id, "from": signal.origin, "to": signal.onward, "reason": signal.code}


def _hedge(signal: HedgeStarted | HedgeEnded) -> Fields:
    fields: Fields = {"request_id": signal.request_id, "from": signal.origin, "to": signal.onward}
    if isinstance(signal, HedgeStarted):
        return {**fields, "outcome": "started", "delay_ms": _ms(signal.delay_s)}
    return {**fields, "outcome": signal.outcome}


def _overloaded(signal: Overloaded) -> Fields:
    return {
        "refused": signal.refused,
        "waiting": signal.waiting,
        "in_flight": signal.in_flight,
        "limit": signal.limit,
    }


def _refused(signal: CallRefused) -> Fields:
    return {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "status": signal.status,
        "code": signal.code,
    }


def _fault(signal: InternalFault) -> Fields:
    return {"request_id": signal.request_id, "error": signal.error, "trace": signal.trace}


def _circuit(signal: CircuitChanged) -> Fields:
    return {
        "provider": signal.provider,
        "target_model": signal.model,
        "before": signal.before,
        "reason": signal.reason,
        "failures": signal.failures or None,
        "calls": signal.calls or None,
        "open_ms": _ms(signal.open_s),
    }


def _key_set_aside(signal: KeySetAside) -> Fields:
    return {
        "provider": signal.provider,
        "key": signal.position,
        "reason": signal.reason,
        "pause_ms": _ms(signal.pause_s),
    }


def _ended(signal: CallEnded) -> list[tuple[str, Fields]]:
    left = signal.outcome == _ABANDONED
    usage = signal.usage
    fields: Fields = {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "model": signal.model,
        "provider": signal.provider,
        "target_model": signal.target_model,
        "stream": signal.stream,
        "status": CLIENT_CLOSED.status if left else signal.status,
        "code": CLIENT_CLOSED.code if left else signal.code,
        "kind": CLIENT_CLOSED.category if left else signal.category,
        "attempts": signal.attempts,
        "fallback_position": signal.position,
        "duration_ms": _ms(signal.duration_s),
        "ttft_ms": _ms(signal.first_token_s),
        "overhead_ms": _ms(signal.overhead_s),
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "total_tokens": usage and usage.total_tokens,
    }
    if signal.outcome != _COMPLETED:
        return [("request_failed", fields)]
    ended = [("request_completed", fields)]
    if signal.first_token_s is not None:
        ended.append(("stream_completed", _stream_completed(signal)))
    return ended


def _stream_completed(signal: CallEnded) -> Fields:
    return {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.target_model,
        "duration_ms": _ms(signal.duration_s),
        "ttft_ms": _ms(signal.first_token_s),
        "tokens_per_s": None if signal.tokens_per_s is None else round(signal.tokens_per_s, 1),
        "completion_tokens": signal.usage and signal.usage.completion_tokens,
    }


def _ms(seconds: float | None) -> float | None:
    return (
        None if seconds is None else round(seconds * 1_000_000) / 1000
    )  # several times as fast as rounding to 3 places
