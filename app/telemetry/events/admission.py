"""The log of overload; the calls themselves are told where they end, and the queue is for the metrics."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import Overloaded
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _overloaded(signal: Overloaded) -> list[Event]:
    fields: Fields = {
        "refused": signal.refused,
        "waiting": signal.waiting,
        "in_flight": signal.in_flight,
        "limit": signal.limit,
    }
    return [("call_refused_overload", fields)]


ADMISSION: Final = (told(Overloaded, logging.WARNING, _overloaded),)
