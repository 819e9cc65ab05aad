"""
Which log events a signal becomes, how severe they are, and with which fields. Tables; no I/O.

Each topic has a file of its own with a table; a new topic adds a file, and its table to `_TABLES`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.signals import (
    AdmissionLimitChanged,
    AttemptEnded,
    CallQueued,
    CallRepeated,
    CallShed,
    CallUnqueued,
    SessionTurnKept,
    Signal,
    Spent,
)
from app.telemetry.events.administration import ADMINISTRATION
from app.telemetry.events.admission import ADMISSION
from app.telemetry.events.attempts import ATTEMPTS
from app.telemetry.events.calls import CALLS
from app.telemetry.events.configuration import CONFIGURATION
from app.telemetry.events.guards import GUARDS
from app.telemetry.events.health import HEALTH
from app.telemetry.events.identity import IDENTITY
from app.telemetry.events.lifecycle import LIFECYCLE
from app.telemetry.events.limits import LIMITS
from app.telemetry.events.part import Event, Told
from app.telemetry.events.redaction import REDACTION
from app.telemetry.events.sessions import SESSIONS
from app.telemetry.events.spending import SPENDING

_TABLES: Final = (
    CALLS,
    ATTEMPTS,
    ADMISSION,
    LIMITS,
    HEALTH,
    IDENTITY,
    SESSIONS,
    CONFIGURATION,
    LIFECYCLE,
    SPENDING,
    REDACTION,
    GUARDS,
    ADMINISTRATION,
)
TOLD: Mapping[type[msgspec.Struct], Told] = MappingProxyType(
    {entry.kind: entry for table in _TABLES for entry in table}
)

# These have no line: they are for the metrics, and the log tells what became of the call, and why.
SILENT: Final = frozenset(
    {AttemptEnded, CallQueued, CallUnqueued, CallShed, AdmissionLimitChanged, Spent, SessionTurnKept, CallRepeated}
)


def severity(signal: Signal) -> int:
    """Return the level of a signal's events, as the standard library numbers them; none is below INFO."""
    entry = TOLD.get(type(signal))
    if entry is None:
        return logging.INFO
    level = entry.level
    return level if isinstance(level, int) else level(signal)


def events(signal: Signal) -> list[Event]:
    """Return name and fields of each event, in order; fields that say nothing hold None or are empty."""
    entry = TOLD.get(type(signal))
    return [] if entry is None else entry.events(signal)
