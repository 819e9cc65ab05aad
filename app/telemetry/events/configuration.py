"""The log of newer configurations."""

from __future__ import annotations

import logging
from typing import Final

from app.core.signals import ConfigRejected, ConfigReloaded
from app.telemetry.events.part import Event, told


def _reloaded(signal: ConfigReloaded) -> list[Event]:
    return [("config_reloaded", {"before": signal.before, "now": signal.now})]


def _rejected(signal: ConfigRejected) -> list[Event]:
    return [("config_rejected", {"problems": signal.problems, "path": signal.path})]


CONFIGURATION: Final = (
    told(ConfigReloaded, logging.INFO, _reloaded),
    told(ConfigRejected, logging.ERROR, _rejected),
)
