"""The log of what calls do beyond a first try at a first target; single tries are for the metrics."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import FellBack, HedgeEnded, HedgeStarted, RetryScheduled, StreamNotRecovered, StreamRecovered
from app.telemetry.events.part import Event, ms, told
from app.telemetry.rendering import Fields


def _retried(signal: RetryScheduled) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "code": signal.code,
        "kind": signal.category,
        "attempt": signal.attempt,
        "pause_ms": ms(signal.pause_s),
    }
    return [("retry_attempt", fields)]


def _fell_back(signal: FellBack) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "from": signal.origin,
        "to": signal.onward,
        "reason": signal.code,
    }
    return [("fallback_triggered", fields)]


def _hedge_started(signal: HedgeStarted) -> list[Event]:
    return _hedge(signal, {"outcome": "started", "delay_ms": ms(signal.delay_s)})


def _hedge_ended(signal: HedgeEnded) -> list[Event]:
    return _hedge(signal, {"outcome": signal.outcome})


def _hedge(signal: HedgeStarted | HedgeEnded, more: Fields) -> list[Event]:
    return [("hedge", {"request_id": signal.request_id, "from": signal.origin, "to": signal.onward, **more})]


def _resumed(signal: StreamRecovered) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "from": signal.origin,
        "to": signal.onward,
        "reason": signal.code,
        "chars": signal.chars,
    }
    return [("stream_recovered", fields)]


def _not_resumed(signal: StreamNotRecovered) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "from": signal.origin,
        "code": signal.code,
        "reason": signal.reason,
    }
    return [("stream_not_recovered", fields)]


ATTEMPTS: Final = (
    told(RetryScheduled, logging.INFO, _retried),
    told(FellBack, logging.WARNING, _fell_back),
    told(HedgeStarted, logging.INFO, _hedge_started),
    told(HedgeEnded, logging.INFO, _hedge_ended),
    told(StreamRecovered, logging.WARNING, _resumed),
    told(StreamNotRecovered, logging.WARNING, _not_resumed),
)
