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
from pathlib import Path
from random import SystemRandom

from app import __version__
from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, open_state
from app.assembly.spending import alone
from app.assembly.telemetry import Telemetry
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
    telemetry = Telemetry(settings, clock, [resting := Resting()], workers)
    listener = telemetry.listener
    client = PoolClient(PoolOptions())
    local = LocalModel(child_command(), clock, listener) if missing() is None else None
    tracers = Tracers(clock, SystemRandom().random)
    deps, link = open_state(make_deps(client, _local_upstream(local, client), listener, resting, tracers), settings)
    alerts = Alerts(client, clock)
    listener.add(deps.usage, alerts)
    telemetry.loses("alerts", lambda: alerts.lost)
    applied = partial(_apply, telemetry, local, alerts)
    holder = Holder(loaded, deps, applied)

    @asynccontextmanager
    async def lifespan(_app: Api) -> AsyncGenerator[None]:
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(telemetry.serving(deps))
            opened.push_async_callback(client.aclose)
            opened.push_async_callback(deps.proxied.aclose)
            for each in (link, deps.usage, alerts):
                await opened.enter_async_context(each)
            if local is not None:
                opened.push_async_callback(local.aclose)
            applied(settings)
            _reload_on_hangup(holder, source)
            yield

    return tracers.instrument(Api(Desk(holder, listener, clock), _door(settings, clock.wall(), telemetry), lifespan))


def _apply(telemetry: Telemetry, local: LocalModel | None, alerts: Alerts, settings: Settings) -> None:
    """Let what lives outside of the gateway follow the settings."""
    telemetry.applied(settings)
    alerts.url = settings.alerts.webhook_url
    if local is not None and any(provider.kind == "local" for provider in settings.providers.values()):
        local.start()


def make_deps(
    client: UpstreamClient,
    local: UpstreamClient,
    listener: Listener,
    resting: Resting | None = None,
    tracers: Tracers | None = None,
) -> Deps:
    """Return what every gateway of this process shares; `resting` must be among those that `listener` tells."""
    clock, chance = SystemClock(), SystemRandom().random
    circuits, resting = LocalCircuits(Means(clock, chance, Announcer(listener))), resting or Resting()
    sim, budgets_and_usage = SimUpstream(clock, chance), alone(clock, listener)
    return Deps(
        client, sim, local, listener, clock, chance, circuits, *budgets_and_usage, resting=resting, tracers=tracers
    )


def _door(settings: Settings, started_wall: float, telemetry: Telemetry) -> Door:
    if not settings.metrics.enabled:
        return Door(__version__, started_wall, None, None)
    return Door(__version__, started_wall, telemetry.registry, telemetry.exposition)


def _local_upstream(local: LocalModel | None, client: UpstreamClient) -> UpstreamClient:
    return AbsentModel(missing() or "") if local is None else LocalUpstream(local, client)


def _reload_on_hangup(holder: Holder, source: Source) -> None:
    with suppress(NotImplementedError, AttributeError, RuntimeError):  # no SIGHUP there, or not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, holder.reload, source.read)
