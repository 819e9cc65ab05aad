"""The log of what was taken out of requests and answers: counts, and never what."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import Redacted
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _redacted(signal: Redacted) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "side": signal.side,
        "detector": signal.detector,
        "action": signal.action,
        "count": signal.count,
    }
    return [("content_redacted", fields)]


REDACTION: Final = (told(Redacted, logging.INFO, _redacted),)
