"""The log of a process that ends, and of workers that are replaced."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import DrainEnded, DrainStarted, WorkerReplaced
from app.telemetry.events.part import Event, ms, told

_DUE = frozenset({"requests", "memory"})


def _draining(signal: DrainStarted) -> list[Event]:
    return [("drain_started", {"in_flight": signal.in_flight, "window_ms": ms(signal.window_s)})]


def _drained_level(signal: DrainEnded) -> int:
    return logging.WARNING if signal.cut else logging.INFO


def _drained(signal: DrainEnded) -> list[Event]:
    return [("drain_ended", {"cut": signal.cut, "duration_ms": ms(signal.lasted_s)})]


def _replaced_level(signal: WorkerReplaced) -> int:
    return logging.INFO if signal.reason in _DUE else logging.ERROR


def _replaced(signal: WorkerReplaced) -> list[Event]:
    return [("worker_replaced", {"pid": signal.pid, "reason": signal.reason, "exit_code": signal.exit_code})]


LIFECYCLE: Final = (
    told(DrainStarted, logging.INFO, _draining),
    told(DrainEnded, _drained_level, _drained),
    told(WorkerReplaced, _replaced_level, _replaced),
)
