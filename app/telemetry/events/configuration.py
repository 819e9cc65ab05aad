"""The log of newer configurations."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import ConfigRejected, ConfigReloaded
from app.telemetry.events.part import Event, told
from app.telemetry.rendering import Fields


def _reloaded(signal: ConfigReloaded) -> list[Event]:
    fields: Fields = {
        "before": signal.before,
        "now": signal.now,
        "changes": signal.changes,
        "changed": signal.changed,
    }
    return [("config_reloaded", fields)]


def _rejected(signal: ConfigRejected) -> list[Event]:
    return [("config_rejected", {"problems": signal.problems, "path": signal.path})]


CONFIGURATION: Final = (
    told(ConfigReloaded, logging.INFO, _reloaded),
    told(ConfigRejected, logging.ERROR, _rejected),
)
