"""How a deployment knows its own requests when they come back."""

from __future__ import annotations

import hashlib

from app.config.load import digest
from app.config.schema import Settings
from app.core.loops import Loop


def loop_of(settings: Settings) -> Loop:
    """Return the mark of this deployment: made of its settings, which its replicas share; it gives nothing away."""
    mark = hashlib.sha256(f"loop {digest(settings)}".encode()).hexdigest()[:16]
    return Loop(mark, settings.server.loop_passes_max)
