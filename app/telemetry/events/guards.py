"""The log of what guards complain of: who and in a word why, and never the text."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import GuardComplained
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _level(signal: GuardComplained) -> int:
    return logging.WARNING if signal.action == "block" else logging.INFO


def _complained(signal: GuardComplained) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "guard": signal.guard,
        "side": signal.side,
        "action": signal.action,
        "reason": signal.reason,
        "score": signal.score,
    }
    return [("guard_complained", fields)]


GUARDS: Final = (told(GuardComplained, _level, _complained),)
