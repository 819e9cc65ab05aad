"""The log of the administration: who did what, or was refused. Never a value that somebody sent."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import AdminActed
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _level(signal: AdminActed) -> int:
    return logging.INFO if signal.admitted else logging.WARNING


def _acted(signal: AdminActed) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "who": "admin" if signal.admitted else "stranger",
        "peer": signal.peer,
        "action": signal.action,
        "subject": signal.subject,
        "status": signal.status,
    }
    return [("admin_action" if signal.admitted else "admin_refused", fields)]


ADMINISTRATION: Final = (told(AdminActed, _level, _acted),)
