"""The log of turns that are missing from their conversations."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import SessionTurnLost
from app.telemetry.events.part import Event, told


def _lost(signal: SessionTurnLost) -> list[Event]:
    return [("session_turn_lost", {"request_id": signal.request_id, "code": signal.code})]


SESSIONS: Final = (told(SessionTurnLost, logging.WARNING, _lost),)
