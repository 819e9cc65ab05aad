"""
The server process: opens what lives as long as it does, builds the gateway and shows it through FastAPI.

A `Service` is made once in every process that serves.
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
from app.config.load import Loaded
from app.config.schema import Settings
from app.config.source import Source
from app.core.clock import SystemClock
from app.core.lifecycle import Lifecycle
from app.core.ports import UpstreamClient
from app.core.resting import Resting
from app.core.signals import Listener
from app.providers.local.supervisor import LocalModel
from app.providers.local.upstream import AbsentModel, LocalUpstream
from app.providers.local.wheels import child_command, missing
from app.providers.pool import PoolClient, PoolOptions
from app.providers.sim import SimUpstream
from app.reload import Holder, Parent, Reloader, Watch
from app.state.announcer import Announcer
from app.state.memory import LocalCircuits, Means
from app.telemetry.bridge import configure_stdlib
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.asked import Build, ConfigInUse, Losses, ProviderKeys
from app.telemetry.metrics.collector import MetricsCollector, render
from app.telemetry.output import standard_output


class Service:
    """
    Everything that one process has, from its clock to its application.

    `api` is for a server to run, which moves `lifecycle` on and tells `listener` of it.

    Args:
        source: Where to read the configuration again.

        loaded: The configuration to begin with.

        parent: Told when a newer one is in use.
    """

    def __init__(self, source: Source, loaded: Loaded, parent: Parent) -> None:
        settings, clock = loaded.settings, SystemClock()
        self._clock = clock
        self._metrics, self._resting = Metrics(), Resting()
        self._book = LogBook(
            standard_output(), clock, level=settings.logging.level, line_format=settings.logging.format
        )
        self.listener = FanOut([self._metrics, self._book, self._resting])
        self._client = PoolClient(PoolOptions())
        self._local = LocalModel(child_command(), clock, self.listener) if missing() is None else None
        local = AbsentModel(missing() or "") if self._local is None else LocalUpstream(self._local, self._client)
        deps = make_deps(self._client, local, self.listener, self._resting)
        self._deps, self._link = open_state(deps, settings)
        read = partial(asyncio.to_thread, source.read)  # no call shall wait for a disk
        self._holder = Holder(loaded, self._deps, self._apply)
        self._reloader = Reloader(self._holder, read, self.listener, parent, self._deps.replicas)
        self.lifecycle = Lifecycle()
        desk = Desk(self._holder, self.listener, clock, self.lifecycle)
        self.api = Api(desk, self._door(), self._lifespan)

    @property
    def settings(self) -> Settings:
        """Return the settings in use."""
        return self._holder.loaded.settings

    def reload(self) -> None:
        """Read the configuration again, soon."""
        self._reloader.request()

    @asynccontextmanager
    async def _lifespan(self, _app: Api) -> AsyncGenerator[None]:
        """Open what lives as long as the process, and close it in the opposite order."""
        async with AsyncExitStack() as opened:
            opened.callback(self._book.close)
            opened.callback(configure_stdlib(self._book))
            opened.push_async_callback(self._client.aclose)
            opened.push_async_callback(self._deps.proxied.aclose)
            await opened.enter_async_context(self._link)
            if self._local is not None:
                opened.push_async_callback(self._local.aclose)
            self._apply(self.settings)
            self._follow_the_file(opened)
            yield

    def _follow_the_file(self, opened: AsyncExitStack) -> None:
        """From now on read the configuration again on a hang-up, and when its files change."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP there, or not in the main thread
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        if self.settings.server.watch and self._holder.loaded.files:
            watch = Watch(lambda: self._holder.loaded, self._reloader.look, self._clock)
            opened.push_async_callback(_cancelled, loop.create_task(watch.run()))

    def _apply(self, settings: Settings) -> None:
        """Let what lives outside the gateway follow newer settings."""
        self._book.set_level(settings.logging.level)
        if self._local is not None and any(provider.kind == "local" for provider in settings.providers.values()):
            self._local.start()

    def _door(self) -> Door:
        started_wall = self._clock.wall()
        if not self.settings.metrics.enabled:
            return Door(__version__, started_wall, None, None, self._reloader)
        losses = Losses({"logs": lambda: self._book.dropped, "fanout": lambda: self.listener.errors})
        keys = ProviderKeys(lambda: self._deps.keys.counts(self._clock.now()))
        in_use = ConfigInUse(lambda: self._holder.current.digest)
        registry = CollectorRegistry()
        registry.register(MetricsCollector([Build(__version__), in_use, *self._metrics.parts, keys, losses]))
        return Door(__version__, started_wall, registry, partial(render, registry), self._reloader)


def make_deps(
    client: UpstreamClient, local: UpstreamClient, listener: Listener, resting: Resting | None = None
) -> Deps:
    """Return what every gateway of this process shares; `resting` must be among those that `listener` tells."""
    clock, chance = SystemClock(), SystemRandom().random
    circuits = LocalCircuits(Means(clock, chance, Announcer(listener)))
    return Deps(client, SimUpstream(clock, chance), local, listener, clock, chance, circuits, resting or Resting())


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
