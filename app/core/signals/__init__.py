"""
Signals: events that the gateway reports about itself. Metrics, logs, traces and tests listen to them.

Each topic has a file of its own; a new signal is a `Signal` in one of them, and is exported here.
"""

from __future__ import annotations

from app.core.signals.attempts import (
    AttemptEnded,
    BudgetExceeded,
    BudgetExhausted,
    BudgetReached,
    FellBack,
    HedgeEnded,
    HedgeStarted,
    RetryScheduled,
    Spent,
    StreamNotRecovered,
    StreamRecovered,
)
from app.core.signals.calls import (
    CallEnded,
    CallRefused,
    CallRepeated,
    CallStarted,
    ClientLeft,
    InternalFault,
    SessionTurnKept,
    SessionTurnLost,
    StreamResumed,
    StreamStarted,
    StreamTrimmed,
)
from app.core.signals.content import GuardComplained, Redacted
from app.core.signals.identity import AdminActed, CallForbidden, CredentialRefused, KeyChanged, TokenKeysChanged
from app.core.signals.limits import AdmissionLimitChanged, CallQueued, CallShed, CallUnqueued, LimitExceeded, Overloaded
from app.core.signals.process import (
    ConfigRejected,
    ConfigReloaded,
    DrainEnded,
    DrainStarted,
    StateDegraded,
    WorkerReplaced,
)
from app.core.signals.providers import (
    ELSEWHERE,
    CircuitChanged,
    KeySetAside,
    LocalModelChanged,
    ProviderHealthChanged,
    ProviderLimitNear,
)
from app.core.signals.signal import Listener, Signal

__all__ = [
    "ELSEWHERE",
    "AdminActed",
    "AdmissionLimitChanged",
    "AttemptEnded",
    "BudgetExceeded",
    "BudgetExhausted",
    "BudgetReached",
    "CallEnded",
    "CallForbidden",
    "CallQueued",
    "CallRefused",
    "CallRepeated",
    "CallShed",
    "CallStarted",
    "CallUnqueued",
    "CircuitChanged",
    "ClientLeft",
    "ConfigRejected",
    "ConfigReloaded",
    "CredentialRefused",
    "DrainEnded",
    "DrainStarted",
    "FellBack",
    "GuardComplained",
    "HedgeEnded",
    "HedgeStarted",
    "InternalFault",
    "KeyChanged",
    "KeySetAside",
    "LimitExceeded",
    "Listener",
    "LocalModelChanged",
    "Overloaded",
    "ProviderHealthChanged",
    "ProviderLimitNear",
    "Redacted",
    "RetryScheduled",
    "SessionTurnKept",
    "SessionTurnLost",
    "Signal",
    "Spent",
    "StateDegraded",
    "StreamNotRecovered",
    "StreamRecovered",
    "StreamResumed",
    "StreamStarted",
    "StreamTrimmed",
    "TokenKeysChanged",
    "WorkerReplaced",
]
