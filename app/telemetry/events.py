"""
The table of log events: which events a signal becomes, with which level and fields. No I/O.

`event_spec.py` has the rule for lines that have a signal's own fields. `call_events.py` makes those of every call, the
functions here make the others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.circuits import CircuitState
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
from app.telemetry.call_events import ended, ended_level, started, stream_started
from app.telemetry.event_spec import Event, EventSpec, line, lines, ms
from app.telemetry.rendering import Fields

_INFO, _WARNING, _ERROR = logging.INFO, logging.WARNING, logging.ERROR
_CIRCUIT: Final[Mapping[str, str]] = MappingProxyType(
    {
        CircuitState.CLOSED.value: "circuit_closed",
        CircuitState.HALF_OPEN.value: "circuit_half_opened",
        CircuitState.OPEN.value: "circuit_opened",
    }
)
_WELL: Final = frozenset({"starting", "started", "ready", "stopped"})  # states of the local model that are no warning
_DUE: Final = frozenset({"requests", "memory"})  # planned replacements of workers


def severity(signal: Signal) -> int:
    """Return the level of a signal's events, a number of the standard library; at least INFO."""
    entry = SPECS.get(type(signal))
    if entry is None:
        return logging.INFO
    level = entry.level
    return level if isinstance(level, int) else level(signal)


def events(signal: Signal) -> list[Event]:
    """Return name and fields of each event, in order; None or empty fields are omitted from the line."""
    entry = SPECS.get(type(signal))
    return [] if entry is None else entry.events(signal)


def _hedge_started(signal: HedgeStarted) -> list[Event]:
    hedged: Fields = {"request_id": signal.request_id, "from": signal.origin, "to": signal.onward}
    return [("hedge", {**hedged, "outcome": "started", "delay_ms": ms(signal.delay_s)})]


def _circuit(signal: CircuitChanged) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "before": signal.before,
        "reason": signal.reason,
        "failures": signal.failures or None,
        "calls": signal.calls or None,
        "open_ms": ms(signal.open_s),
    }
    return [(_CIRCUIT[signal.now], fields)]


def _limited(signal: LimitExceeded) -> list[Event]:
    named: Fields = {"request_id": signal.request_id, "limit": signal.limit, "measure": signal.measure}
    return [("rate_limit_exceeded", {**named, "wait_ms": ms(signal.wait_s), "shadow": signal.shadow or None})]


def _forbidden(signal: CallForbidden) -> list[Event]:
    return [("auth_refused", {"request_id": signal.request_id, "reason": "forbidden", "key": signal.key_id})]


def _budget(signal: BudgetReached) -> list[Event]:
    reached: Fields = {"budget": signal.budget, "share": signal.share, "spent_usd": round(signal.spent_usd, 6)}
    return [("budget_reached", {**reached, "limit_usd": signal.limit_usd})]


def _exhausted(signal: BudgetExhausted) -> list[Event]:
    level: Fields = {"spent_usd": round(signal.spent_usd, 6), "held_usd": round(signal.held_usd, 6)}
    return [("budget_exhausted", {"budget": signal.budget, **level, "limit_usd": signal.limit_usd})]


def _administration(signal: AdminActed) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "who": "admin" if signal.admitted else "stranger",
        "peer": signal.peer,
        "action": signal.action,
        "subject": signal.subject,
        "status": signal.status,
    }
    return [("admin_action" if signal.admitted else "admin_refused", fields)]


_TABLE: Final = (
    lines(CallStarted, _INFO, started),
    lines(StreamStarted, _INFO, stream_started),
    lines(CallEnded, ended_level, ended),
    line(CallRefused, _INFO, "request_failed"),
    line(InternalFault, _ERROR, "internal_fault"),
    line(StreamTrimmed, _WARNING, "stream_trimmed"),
    line(StreamResumed, _INFO, "stream_resumed"),
    line(ClientLeft, _INFO, "client_left"),
    line(RetryScheduled, _INFO, "retry_attempt", model="target_model"),
    line(FellBack, _WARNING, "fallback_triggered", code="reason"),
    lines(HedgeStarted, _INFO, _hedge_started),
    line(HedgeEnded, _INFO, "hedge"),
    line(StreamRecovered, _WARNING, "stream_recovered", code="reason"),
    line(StreamNotRecovered, _WARNING, "stream_not_recovered"),
    line(Overloaded, _WARNING, "call_refused_overload"),
    lines(LimitExceeded, _WARNING, _limited),
    lines(CircuitChanged, lambda signal: _WARNING if signal.now == CircuitState.OPEN.value else _INFO, _circuit),
    line(KeySetAside, _WARNING, "provider_key_set_aside", position="key"),
    line(
        ProviderHealthChanged,
        lambda signal: _INFO if signal.up else _WARNING,
        lambda signal: "provider_up" if signal.up else "provider_down",
        up=None,
    ),
    line(ProviderLimitNear, _WARNING, "provider_limit_near", model="target_model", most="limit"),
    line(LocalModelChanged, lambda signal: _INFO if signal.state in _WELL else _WARNING, "local_model"),
    line(
        StateDegraded,
        lambda signal: _WARNING if signal.degraded else _INFO,
        lambda signal: "state_degraded" if signal.degraded else "state_restored",
        degraded=None,
    ),
    line(CredentialRefused, _INFO, "auth_refused"),
    lines(CallForbidden, _INFO, _forbidden),
    line(KeyChanged, _INFO, lambda signal: f"key_{signal.action}", action=None),
    line(
        TokenKeysChanged,
        lambda signal: _WARNING if signal.reason else _INFO,
        lambda signal: "token_keys_unavailable" if signal.reason else "token_keys_loaded",
    ),
    line(SessionTurnLost, _WARNING, "session_turn_lost"),
    line(ConfigReloaded, _INFO, "config_reloaded"),
    line(ConfigRejected, _ERROR, "config_rejected"),
    line(DrainStarted, _INFO, "drain_started"),
    line(DrainEnded, lambda signal: _WARNING if signal.cut else _INFO, "drain_ended"),
    line(WorkerReplaced, lambda signal: _INFO if signal.reason in _DUE else _ERROR, "worker_replaced"),
    lines(BudgetReached, _WARNING, _budget),
    lines(BudgetExhausted, _WARNING, _exhausted),
    line(Redacted, _INFO, "content_redacted"),
    line(GuardComplained, lambda signal: _WARNING if signal.action == "block" else _INFO, "guard_complained"),
    lines(AdminActed, lambda signal: _INFO if signal.admitted else _WARNING, _administration),
)
SPECS: Final[Mapping[type[msgspec.Struct], EventSpec]] = MappingProxyType({entry.kind: entry for entry in _TABLE})

# These have no line of their own: they are for the metrics, and the lines of their calls cover them.
SILENT: Final = frozenset(
    {
        AttemptEnded,
        CallQueued,
        CallUnqueued,
        CallShed,
        AdmissionLimitChanged,
        Spent,
        BudgetExceeded,
        SessionTurnKept,
        CallRepeated,
    }
)
