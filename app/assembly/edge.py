"""The bounds of the HTTP edge."""

from __future__ import annotations

import hashlib

from app.config.checks.passthrough import is_looked_at
from app.config.load import digest
from app.config.schema import Settings
from app.core.gateway import EdgeOptions
from app.core.leaving import LeavingOptions
from app.core.loops import Loop
from app.core.tapes import TapeBounds


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
        leaving=_leaving(settings),
        loop=_loop(settings),
    )


def _leaving(settings: Settings) -> LeavingOptions | None:
    """Return which calls go on without their clients; None if there are none."""
    given = settings.streaming
    routes = {name: route.streaming.on_disconnect or given.on_disconnect for name, route in settings.models.items()}
    resume = _resume(settings)
    if resume is None and "drain" not in {given.on_disconnect, *routes.values()}:
        return None
    drains = {name: how == "drain" for name, how in routes.items()}
    return LeavingOptions(drains, given.on_disconnect == "drain", given.drain_max, resume)


def _resume(settings: Settings) -> TapeBounds | None:
    given = settings.streaming.resume
    if not given.enabled:
        return None
    return TapeBounds(given.window_s, given.max_streams, given.stream_max_bytes, given.max_bytes)


def _loop(settings: Settings) -> Loop:
    """Return the mark of this deployment: made of its settings, which its replicas share; it gives nothing away."""
    mark = hashlib.sha256(f"loop {digest(settings)}".encode()).hexdigest()[:16]
    return Loop(mark, settings.server.loop_passes_max)
