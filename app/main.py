"""
The server process: opens what lives as long as it does, builds the gateway and shows it through FastAPI.

`create_app` is called once in every worker process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from random import SystemRandom

from prometheus_client import CollectorRegistry

from app import __version__
from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, open_state
from app.config.schema import Settings
from app.config.source import Source
from app.core.clock import SystemClock
from app.core.ports import UpstreamClient
from app.core.resting import Resting
from app.core.signals import Listener
from app.providers.local.supervisor import LocalModel
from app.providers.local.upstream import AbsentModel, LocalUpstream
from app.providers.local.wheels import child_command, missing
from app.providers.pool import PoolClient, PoolOptions
from app.providers.sim import SimUpstream
from app.reload import Holder
from app.state.announcer import Announcer
from app.state.memory import LocalCircuits, Means
from app.telemetry.bridge import configure_stdlib
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.asked import Build, Losses, ProviderKeys
from app.telemetry.metrics.collector import MetricsCollector, render
from app.telemetry.output import standard_output


def create_app(source: Source) -> Api:
    """
    Return the application for the configuration at `source`.

    Raises:
        ConfigError: With every problem at once.
    """
    loaded, clock = source.read(), SystemClock()
    settings = loaded.settings
    book = LogBook(standard_output(), clock, level=settings.logging.level, line_format=settings.logging.format)
    metrics = Metrics()
    listener = FanOut([metrics, book, resting := Resting()])
    client = PoolClient(PoolOptions())
    local = LocalModel(child_command(), clock, listener) if missing() is None else None
    deps, link = open_state(make_deps(client, _local_upstream(local, client), listener, resting), settings)

    def applied(settings: Settings) -> None:
        book.set_level(settings.logging.level)
        deps.key_sets.warm()
        if local is not None and any(provider.kind == "local" for provider in settings.providers.values()):
            local.start()

    holder = Holder(loaded, deps, applied)

    @asynccontextmanager
    async def lifespan(_app: Api) -> AsyncGenerator[None]:
        async with AsyncExitStack() as opened:
            opened.callback(book.close)
            opened.callback(configure_stdlib(book))
            for each in (client, deps.proxied, deps.key_sets, deps.session_store, local):
                if each is not None:
                    opened.push_async_callback(each.aclose)
            await opened.enter_async_context(link)
            applied(settings)
            _reload_on_hangup(holder, source)
            yield

    losses = Losses({"logs": lambda: book.dropped, "fanout": lambda: listener.errors})
    parts = [Build(__version__), *metrics.parts, ProviderKeys(lambda: deps.keys.counts(clock.now())), losses]
    return Api(Desk(holder, listener, clock), _door(settings, clock.wall(), MetricsCollector(parts)), lifespan)


def make_deps(
    client: UpstreamClient, local: UpstreamClient, listener: Listener, resting: Resting | None = None
) -> Deps:
    """Return what every gateway of this process shares; `resting` must be among those that `listener` tells."""
    clock, chance = SystemClock(), SystemRandom().random
    circuits = LocalCircuits(Means(clock, chance, Announcer(listener)))
    return Deps(client, SimUpstream(clock, chance), local, listener, clock, chance, circuits, resting or Resting())


def _door(settings: Settings, started_wall: float, collector: MetricsCollector) -> Door:
    if not settings.metrics.enabled:
        return Door(__version__, started_wall, None, None)
    registry = CollectorRegistry()
    registry.register(collector)
    return Door(__version__, started_wall, registry, partial(render, registry))


def _local_upstream(local: LocalModel | None, client: UpstreamClient) -> UpstreamClient:
    return AbsentModel(missing() or "") if local is None else LocalUpstream(local, client)


def _reload_on_hangup(holder: Holder, source: Source) -> None:
    with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP there, or not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, holder.reload, source.read)
