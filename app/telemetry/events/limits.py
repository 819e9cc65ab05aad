"""The log of rate limits."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import LimitExceeded
from app.telemetry.events.part import Event, ms, told
from app.telemetry.rendering import Fields


def _exceeded(signal: LimitExceeded) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "limit": signal.limit,
        "measure": signal.measure,
        "wait_ms": ms(signal.wait_s),
        "shadow": signal.shadow or None,
    }
    return [("rate_limit_exceeded", fields)]


LIMITS: Final = (told(LimitExceeded, logging.WARNING, _exceeded),)
