"""
The server process: opens what lives as long as it does, builds the gateway and shows it through FastAPI.

`create_app` is called once in every worker process.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import SystemRandom

from prometheus_client import CollectorRegistry

from app import __version__
from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps
from app.config.schema import Settings
from app.config.source import Source
from app.core.clock import SystemClock
from app.core.ports import UpstreamClient
from app.core.signals import Listener
from app.providers.client import HttpxClient
from app.providers.local import LocalModel, LocalUpstream
from app.providers.sim import SimUpstream
from app.reload import Holder
from app.telemetry.bridge import configure_stdlib
from app.telemetry.exposition import render
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics


def create_app(source: Source) -> Api:
    """
    Return the application for the configuration at `source`.

    Raises:
        ConfigError: With every problem at once.
    """
    loaded = source.read()
    settings = loaded.settings
    clock, registry = SystemClock(), CollectorRegistry()
    book = _log_book(settings, clock)
    listener = FanOut([Metrics(registry, __version__), book])
    client = HttpxClient()
    local = LocalModel(listener, clock)
    holder = Holder(loaded, make_deps(client, LocalUpstream(local, client), listener))

    @asynccontextmanager
    async def lifespan(_app: Api) -> AsyncGenerator[None]:
        async with AsyncExitStack() as opened:
            opened.callback(book.close)
            opened.push_async_callback(client.aclose)
            if _wants_local(settings):
                await local.start()
                opened.push_async_callback(local.aclose)
            _reload_on_hangup(holder, source)
            yield

    exposed = settings.metrics.enabled
    door = Door(
        version=__version__,
        started_wall=clock.wall(),
        registry=registry if exposed else None,
        exposition=(lambda accept: render(registry, accept)) if exposed else None,
    )
    return Api(Desk(holder, listener, clock), door, lifespan)


def make_deps(client: UpstreamClient, local: UpstreamClient, listener: Listener) -> Deps:
    """Return what every gateway of this process shares, with the machine's own time and chance."""
    clock, chance = SystemClock(), SystemRandom().random
    return Deps(client, SimUpstream(clock, chance), local, listener, clock, chance)


def _log_book(settings: Settings, clock: SystemClock) -> LogBook:
    book = LogBook(sys.stdout.buffer, clock, level=settings.logging.level, line_format=settings.logging.format)
    configure_stdlib(book)
    return book


def _wants_local(settings: Settings) -> bool:
    return any(provider.kind == "local" for provider in settings.providers.values())


def _reload_on_hangup(holder: Holder, source: Source) -> None:
    with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP there, or not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, holder.reload, source.read)
