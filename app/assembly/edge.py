"""The bounds of the HTTP edge."""

from __future__ import annotations

import hashlib

from app.config.load import digest
from app.config.schema import Settings
from app.core.gateway import EdgeOptions
from app.core.loops import Loop


def edge_options(settings: Settings) -> EdgeOptions:
    """Return what the edge accepts and how long it waits."""
    return EdgeOptions(
        body_max_bytes=settings.server.body_max_bytes,
        total_s=settings.timeouts.total_s,
        keep_alive_s=settings.streaming.keep_alive_s,
        overflow=settings.streaming.overflow,
        buffer_bytes=settings.streaming.buffer_bytes,
        loop=loop_of(settings),
    )


def loop_of(settings: Settings) -> Loop:
    """Return the mark of this deployment: made of its settings, which its replicas share; it gives nothing away."""
    mark = hashlib.sha256(f"loop {digest(settings)}".encode()).hexdigest()[:16]
    return Loop(mark, settings.server.loop_passes_max)
