"""Assemble the options of the HTTP edge."""

from __future__ import annotations

import hashlib
from typing import Final

from app.config.checks.passthrough import is_looked_at
from app.config.load import digest
from app.config.presets import PRESETS
from app.config.schema import Settings
from app.core.disconnects import DisconnectOptions
from app.core.gateway import EdgeOptions
from app.core.loop_detection import Loop
from app.core.routing.table import RoutingTable
from app.core.tapes import TapeBounds

_MODERATES: Final = "omni-moderation-latest"  # OpenAI's default if a request names no model


def edge_options(settings: Settings, routing: RoutingTable) -> EdgeOptions:
    """Return the limits and timeouts of the edge."""
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
        caches=settings.cache.enabled,
        moderation_model=_moderation_model(settings, routing),
    )


def _moderation_model(settings: Settings, routing: RoutingTable) -> str | None:
    """
    Return the model for moderation requests that name none.

    A route with the name of OpenAI's own default; else a provider that moderates, preferably one at its usual address
    over a compatible server.
    """
    if _MODERATES in settings.models or routing.matched(_MODERATES):
        return _MODERATES
    at_home: dict[str, bool] = {}
    for name, given in settings.providers.items():
        preset = PRESETS.get(given.kind)
        if preset is not None and preset.moderates:
            at_home[f"{name}/{preset.moderates}"] = given.base_url == preset.base_url
    return next((model for model, usual in at_home.items() if usual), next(iter(at_home), None))


def _leaving(settings: Settings) -> DisconnectOptions | None:
    """Return which calls continue after their client has disconnected; None if none do."""
    given = settings.streaming
    routes = {name: route.streaming.on_disconnect or given.on_disconnect for name, route in settings.models.items()}
    resume = _resume(settings)
    if resume is None and "drain" not in {given.on_disconnect, *routes.values()}:
        return None
    drains = {name: how == "drain" for name, how in routes.items()}
    return DisconnectOptions(drains, given.on_disconnect == "drain", given.drain_max, resume)


def _resume(settings: Settings) -> TapeBounds | None:
    given = settings.streaming.resume
    if not given.enabled:
        return None
    return TapeBounds(given.window_s, given.max_streams, given.stream_max_bytes, given.max_bytes)


def _loop(settings: Settings) -> Loop:
    """Return the loop mark of this deployment: a hash of its settings, which its replicas share."""
    mark = hashlib.sha256(f"loop {digest(settings)}".encode()).hexdigest()[:16]
    return Loop(mark, settings.server.loop_passes_max)
