"""
The server process: opens what lives as long as it does, builds the gateway and shows it through FastAPI.

`create_app` is called once in every worker process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from random import SystemRandom

import msgspec
from prometheus_client import CollectorRegistry

from app import __version__
from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, open_state
from app.assembly.spending import alone
from app.assembly.telemetry import Lookout, Telemetry
from app.assembly.tracing import Tracers
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
from app.telemetry.alerts import Alerts


def create_app(source: Source, workers: Path | None = None) -> Api:
    """
    Return the application for the configuration at `source`.

    `workers` is the directory in which the workers of a gateway find each other; None if there is only one.

    Raises:
        ConfigError: With every problem at once.
    """
    loaded, clock = source.read(), SystemClock()
    settings = loaded.settings
    telemetry = Telemetry(settings, clock, [resting := Resting()])
    listener, client = telemetry.listener, PoolClient(PoolOptions())
    local = LocalModel(child_command(), clock, listener) if missing() is None else None
    tracers = Tracers(clock, SystemRandom().random)
    made = make_deps(client, _local_upstream(local, client), listener, resting)
    deps, link = open_state(msgspec.structs.replace(made, tracers=tracers, hearing=listener), settings)
    listener.add(deps.usage, alerts := Alerts(client, clock))
    telemetry.loses("alerts", lambda: alerts.lost)
    lookout = Lookout(telemetry, deps, settings, workers)
    applied = partial(_apply, telemetry, local, alerts)
    holder = Holder(loaded, msgspec.structs.replace(deps, insight=lookout.insight), applied)

    @asynccontextmanager
    async def lifespan(_app: Api) -> AsyncGenerator[None]:
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(lookout.open())
            opened.push_async_callback(client.aclose)
            opened.push_async_callback(deps.proxied.aclose)
            for each in (link, deps.usage, alerts, deps.requests or nullcontext()):
                await opened.enter_async_context(each)
            if local is not None:
                opened.push_async_callback(local.aclose)
            applied(settings)
            _reload_on_hangup(holder, source)
            yield

    door = _door(settings, clock.wall(), telemetry.registry, lookout)
    return tracers.instrument(Api(Desk(holder, listener, clock), door, lifespan))


def _apply(telemetry: Telemetry, local: LocalModel | None, alerts: Alerts, settings: Settings) -> None:
    """Let what lives outside of the gateway follow the settings."""
    telemetry.applied(settings)
    alerts.url = settings.alerts.webhook_url
    if local is not None and any(provider.kind == "local" for provider in settings.providers.values()):
        local.start()


def make_deps(
    client: UpstreamClient, local: UpstreamClient, listener: Listener, resting: Resting | None = None
) -> Deps:
    """Return what every gateway of this process shares; `resting` must be among those that `listener` tells."""
    clock, chance = SystemClock(), SystemRandom().random
    circuits = LocalCircuits(Means(clock, chance, Announcer(listener)))
    sim = SimUpstream(clock, chance)
    return Deps(client, sim, local, listener, clock, chance, circuits, *alone(clock, listener), resting or Resting())


def _door(settings: Settings, started_wall: float, registry: CollectorRegistry, lookout: Lookout) -> Door:
    if not settings.metrics.enabled:
        return Door(__version__, started_wall, None, None)
    return Door(__version__, started_wall, registry, lookout.exposition)


def _local_upstream(local: LocalModel | None, client: UpstreamClient) -> UpstreamClient:
    return AbsentModel(missing() or "") if local is None else LocalUpstream(local, client)


def _reload_on_hangup(holder: Holder, source: Source) -> None:
    with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP there, or not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, holder.reload, source.read)
