"""
One serving process: owns the resources that live as long as it does, builds the gateway and serves it with FastAPI.

Created once in every process that serves.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import msgspec

from app import __version__
from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, make_deps, open_state, prober_handler, probings, sources
from app.assembly.circuits import circuit_policy
from app.assembly.providers import pool_options, warmed
from app.assembly.tracing import Tracers
from app.config.load import Loaded, Source
from app.config.schema import Settings
from app.core.clock import SystemClock
from app.core.lifecycle import Lifecycle
from app.main.telemetry import Telemetry
from app.main.worker_views import WorkerViews
from app.providers.discovery import Discoverer
from app.providers.health import Prober
from app.providers.local.supervisor import LocalModel
from app.providers.local.upstream import AbsentModel, LocalUpstream
from app.providers.local.wheels import child_command, missing
from app.providers.pool import PoolClient
from app.providers.special_clients import Ways
from app.reload import Holder, Parent, Reloader, Watch
from app.telemetry.metrics.on_scrape import (
    OnScrape,
    cache,
    config_in_use,
    provider_keys,
    provider_limits,
    providers_up,
    workers_replaced,
)
from app.telemetry.metrics.part import Part
from app.telemetry.metrics.target_state import Admitted, circuit_standings, reliabilities


class Service:
    """
    All objects of one process, from its clock to its application.

    `api` is the application for a server to run; the server advances `lifecycle` and reports that to `listener`. A
    worker updates `replaced` from its parent: how many workers the parent has replaced, by reason.

    Args:
        source: Where reloads read the configuration.

        loaded: The initial configuration.

        parent: Notified when a newer configuration is in use.

        meeting: The directory in which workers find each other; None for a single worker.

        admin_port: The separate port of the admin API; None for none.
    """

    def __init__(
        self,
        source: Source,
        loaded: Loaded,
        parent: Parent,
        meeting: Path | None = None,
        admin_port: int | None = None,
    ) -> None:
        clock = self._clock = SystemClock()
        client = self._client = PoolClient(pool_options(loaded.settings.upstream))
        self._telemetry = Telemetry(loaded.settings, client, clock)
        self.listener = self._telemetry.listener
        self._local = LocalModel(child_command(), clock, self.listener) if missing() is None else None
        local = AbsentModel(missing() or "") if self._local is None else LocalUpstream(self._local, client)
        made = make_deps(client, local, self.listener, self._telemetry.resting)
        made = msgspec.structs.replace(
            made,
            tracers=Tracers(clock, made.chance),
            hearing=self.listener,
            ways=Ways(pool_options(loaded.settings.upstream)),
        )
        deps, self._link = open_state(made, loaded.settings)
        self.listener.add(deps.usage)
        self._views = WorkerViews(self._telemetry, deps, self._scraped_parts(deps), meeting)
        self._deps = msgspec.structs.replace(deps, insight=self._views.insight)
        self._discoverer = Discoverer(self._deps.discovered, clock)
        self._prober = Prober(self._deps.health, clock, self.listener, self._deps.rota)
        self._holder = Holder(loaded, self._deps, self._follow)
        read = partial(asyncio.to_thread, source.read)  # in a thread: no call may wait for the disk
        self._reloader = Reloader(self._holder, read, self.listener, parent, self._deps.replicas)
        self.lifecycle = Lifecycle()
        self.replaced: Mapping[str, int] = {}
        desk = Desk(self._holder, self.listener, clock, self.lifecycle, tapes=deps.tapes)
        self.api = Api(desk, self._door(admin_port), self._lifespan)
        if deps.tracers is not None:
            deps.tracers.instrument(self.api)

    @property
    def settings(self) -> Settings:
        """Return the settings in use."""
        return self._holder.loaded.settings

    def reload(self) -> None:
        """Request a reload of the configuration, and return at once."""
        self._reloader.request()

    @asynccontextmanager
    async def _lifespan(self, _app: Api) -> AsyncGenerator[None]:
        """Open what lives as long as the process, and close it in reverse order."""
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(self._views.open())
            for resource in (self._client, self._deps.ways, self._deps.key_sets, self._deps.session_store):
                opened.push_async_callback(resource.aclose)
            for context in (self._link, self._deps.usage, self._telemetry.alerts, self._deps.requests or nullcontext()):
                await opened.enter_async_context(context)
            opened.push_async_callback(self._deps.caching.flights.aclose)
            opened.push_async_callback(self._deps.tapes.aclose)
            opened.push_async_callback(self._discoverer.aclose)
            opened.push_async_callback(self._prober.aclose)
            if self._local is not None:
                opened.push_async_callback(self._local.aclose)
            self._follow(self.settings)
            self._reload_on_change(opened)
            if self.settings.upstream.warm:
                warming = asyncio.create_task(warmed(self.settings, self._deps))
                opened.push_async_callback(_cancelled, warming)
            yield

    def _follow(self, settings: Settings) -> None:
        """Apply newer settings to what lives outside the `Gateway`."""
        self._telemetry.follow(settings)
        self._deps.key_sets.warm()
        self._discoverer.follow(sources(settings, self._deps))
        self._prober.follow(probings(settings), partial(prober_handler, settings, self._deps))
        if self._local is not None and any(provider.kind == "local" for provider in settings.providers.values()):
            self._local.start()

    def _reload_on_change(self, opened: AsyncExitStack) -> None:
        """Reload the configuration on SIGHUP and, if the settings say so, when its files change."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP here, or not in the main thread
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        if self.settings.server.watch and self._holder.loaded.files:
            watch = Watch(lambda: self._holder.loaded, self._reloader.look, self._clock)
            opened.push_async_callback(_cancelled, loop.create_task(watch.run()))

    def _door(self, admin_port: int | None) -> Door:
        bare = Door(__version__, self._clock.wall(), None, None, self._reloader, admin_port)
        if not self.settings.metrics.enabled:
            return bare
        return msgspec.structs.replace(bare, registry=self._telemetry.registry, exposition=self._views.exposition)

    def _scraped_parts(self, deps: Deps) -> list[Part]:
        """Return the parts of the metrics that read their values from other objects when they are scraped."""
        return [
            OnScrape(workers_replaced, lambda: self.replaced),
            OnScrape(config_in_use, lambda: self._holder.current.digest),
            OnScrape(cache, deps.caching.tally, deps.caching.view),
            OnScrape(provider_keys, lambda: deps.keys.counts(self._clock.now())),
            OnScrape(provider_limits, deps.quotas.lowest),
            OnScrape(providers_up, deps.health.views),
            OnScrape(circuit_standings, Admitted(), lambda: deps.circuits.glance(circuit_policy(self.settings))),
            OnScrape(reliabilities, Admitted(), deps.traffic.loads.reliabilities),
        ]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
