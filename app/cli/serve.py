"""`wizard serve`: find out what there is, say it, and run the server until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.api.app import Api
from app.cli.banner import banner
from app.cli.verbs import Verbs, add_config
from app.config.load import ConfigError, find
from app.config.presets import PRESETS
from app.config.schema import Settings
from app.config.source import Source
from app.main import create_app
from app.providers.client import HttpxClient
from app.providers.discovery import discover
from app.providers.local.wheels import missing
from app.telemetry.workers.directory import workers_directory

CANNOT_LISTEN = 1
_KEEP_ALIVE_S = 75  # longer than the 60 s of the usual load balancers, so that they close idle connections, not we
_BACKLOG = 4096
_GC_ALLOCATIONS = (
    10_000  # a call leaves no cycles behind, so the collector may look for them less often than by default
)
_WORKER_START_S = (
    60  # a worker that is still importing does not answer its supervisor; on a busy machine that takes a while
)


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `serve`."""
    parser = verbs.add_parser("serve", help="start the gateway")
    add_config(parser)
    parser.add_argument("--host", help="address to listen on (server.host)")
    parser.add_argument("--port", help="TCP port to listen on (server.port)")
    parser.add_argument("--workers", help="worker processes (server.workers)")
    return parser


def run(given: argparse.Namespace) -> int:
    """
    Serve until a signal ends it, and return the exit code.

    Raises:
        ConfigError: With every problem at once.
    """
    path = find(given.config)
    source = Source(path, _overrides(given), _found_here() if path is None else {})
    loaded = source.read()
    settings = loaded.settings
    try:
        listening = _listen(settings.server.host, settings.server.port)
    except OSError as error:
        print(f"cannot listen on {settings.server.host} port {settings.server.port}: {error.strerror}", file=sys.stderr)
        return CANNOT_LISTEN
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has shut down in good order
        signal.signal(ending, _leave)
    text = banner(loaded, _address(listening, settings.server.host), missing() if path is None else None)
    with workers_directory(settings.server.workers) as workers:
        config = _uvicorn_config(source, settings, workers)
        if workers is not None:
            print(text, flush=True)
            _Workers(config, sockets=[listening]).run()
        else:
            _AnnouncedServer(config, text).run(sockets=[listening])
    return 0


class _AnnouncedServer(uvicorn.Server):
    """A server that says where it is once it really is there."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)


class _Workers(Multiprocess):
    """Worker processes that are told of a hang-up: each reads the configuration anew, none is restarted for it."""

    def handle_hup(self) -> None:
        for worker in self.processes:
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGHUP)


def _overrides(given: argparse.Namespace) -> dict[str, str]:
    """Return the flags as the environment variables that they stand for."""
    flags = {"HOST": given.host, "PORT": given.port, "WORKERS": given.workers}
    return {f"WIZARD_SERVER__{name}": value for name, value in flags.items() if value is not None}


def _found_here() -> dict[str, object]:
    """Return, as settings, the providers that need no configuration because they run on this machine."""
    addresses = {name: preset.base_url for name, preset in PRESETS.items() if preset.key_env is None}
    found = asyncio.run(_probe(addresses))
    providers: dict[str, object] = {name: {"kind": name, "models": models} for name, models in found.items()}
    if missing() is None:
        providers["local"] = {"kind": "local"}
    return {"providers": providers}


async def _probe(addresses: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    client = HttpxClient()
    try:
        return await discover(addresses, client)
    finally:
        await client.aclose()


def _app(source: Source, workers: Path | None) -> Api:
    """Build the application in a worker; one that finds the file gone bad since says so and is not started."""
    try:
        app = create_app(source, workers)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(STARTUP_FAILURE)
    gc.collect()
    gc.freeze()  # what the start has made lives as long as the process: there is nothing to collect among it
    gc.set_threshold(_GC_ALLOCATIONS)
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listening.set_inheritable(True)  # worker processes accept from it
    return listening


def _leave(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _uvicorn_config(source: Source, settings: Settings, workers: Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        partial(_app, source, workers),
        factory=True,
        host=settings.server.host,
        port=settings.server.port,
        workers=settings.server.workers,
        backlog=_BACKLOG,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,  # a caller could claim any address
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_worker_healthcheck=_WORKER_START_S,
        timeout_graceful_shutdown=max(1, round(settings.server.drain_s)),
    )


def _address(listening: socket.socket, host: str) -> str:
    port = listening.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared, not bound
    return f"http://{shown}:{port}"
