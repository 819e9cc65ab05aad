"""The bounds of the HTTP edge."""

from __future__ import annotations

from app.config.checks.passthrough import is_looked_at
from app.config.schema import Settings
from app.core.gateway import EdgeOptions


def edge_options(settings: Settings) -> EdgeOptions:
    """Return what the edge accepts and how long it waits."""
    return EdgeOptions(
        body_max_bytes=settings.server.body_max_bytes,
        total_s=settings.timeouts.total_s,
        keep_alive_s=settings.streaming.keep_alive_s,
        overflow=settings.streaming.overflow,
        buffer_bytes=settings.streaming.buffer_bytes,
        upload_max_bytes=settings.server.upload_max_bytes or settings.server.body_max_bytes,
        hands_forms_on=not is_looked_at(settings),
    )
