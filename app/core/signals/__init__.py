"""
Facts the gateway reports about itself. Whoever is interested (metrics, logs, traces, a test) listens.

A signal never holds a prompt, an answer, a key or the text of an error: only names, codes and numbers. Each topic has
a file of its own, which ends with the union of its signals; a new topic adds a file, and a line to each list below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from app.core.signals.administration import AdminActed, AdministrationSignal
from app.core.signals.admission import (
    AdmissionLimitChanged,
    AdmissionSignal,
    CallQueued,
    CallShed,
    CallUnqueued,
    Overloaded,
)
from app.core.signals.attempts import AttemptEnded, AttemptSignal, FellBack, RetryScheduled
from app.core.signals.calls import (
    CallEnded,
    CallRefused,
    CallRepeated,
    CallSignal,
    CallStarted,
    ClientLeft,
    InternalFault,
    StreamResumed,
    StreamStarted,
    StreamTrimmed,
)
from app.core.signals.circuits import ELSEWHERE, CircuitChanged, CircuitSignal
from app.core.signals.configuration import ConfigRejected, ConfigReloaded, ConfigurationSignal
from app.core.signals.guards import GuardComplained, GuardSignal
from app.core.signals.hedging import HedgeEnded, HedgeStarted, HedgingSignal
from app.core.signals.identity import (
    CredentialRefused,
    IdentitySignal,
    KeyChanged,
    ModelForbidden,
    TokenKeysChanged,
)
from app.core.signals.lifecycle import DrainEnded, DrainStarted, LifecycleSignal, WorkerReplaced
from app.core.signals.limits import LimitExceeded, LimitSignal
from app.core.signals.providers import (
    KeySetAside,
    LocalModelChanged,
    ProviderHealthChanged,
    ProviderLimitNear,
    ProviderSignal,
)
from app.core.signals.recovery import RecoverySignal, StreamNotRecovered, StreamRecovered
from app.core.signals.redaction import Redacted, RedactionSignal
from app.core.signals.sessions import SessionSignal, SessionTurnKept, SessionTurnLost
from app.core.signals.spending import BudgetReached, SpendingSignal, Spent
from app.core.signals.state import StateDegraded, StateSignal

Signal: TypeAlias = (
    AdministrationSignal
    | AdmissionSignal
    | AttemptSignal
    | CallSignal
    | CircuitSignal
    | ConfigurationSignal
    | GuardSignal
    | HedgingSignal
    | IdentitySignal
    | LimitSignal
    | LifecycleSignal
    | ProviderSignal
    | RecoverySignal
    | RedactionSignal
    | SessionSignal
    | SpendingSignal
    | StateSignal
)
Listener: TypeAlias = Callable[[Signal], None]

__all__ = [
    "ELSEWHERE",
    "AdminActed",
    "AdmissionLimitChanged",
    "AttemptEnded",
    "BudgetReached",
    "CallEnded",
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
    "ModelForbidden",
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
