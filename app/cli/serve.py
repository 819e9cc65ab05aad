"""`wizard serve`: find out what there is, say it, and run the server until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import msgspec

from app.cli.banner import banner
from app.cli.verbs import Verbs, add_config, add_verb
from app.config.listening import places
from app.config.load import find
from app.config.presets import PRESETS
from app.config.source import Source
from app.providers.discovery import discover
from app.providers.local.wheels import missing
from app.providers.pool import PoolClient, PoolOptions
from app.serving.process import listen, open_more_files, port_of
from app.serving.start import start

CANNOT_LISTEN = 1
_EXAMPLES = """\
wizard serve
wizard serve --config config.yaml --workers 4
WIZARD_SERVER__PORT=9000 wizard serve"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `serve`."""
    parser = add_verb(verbs, "serve", "start the gateway", _EXAMPLES)
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
    for ending in (signal.SIGTERM, signal.SIGINT):  # until the server has handlers of its own
        signal.signal(ending, _leave)
    path = find(given.config)
    source = Source(path, _overrides(given), _found_here() if path is None else {})
    loaded = source.read()
    open_more_files()
    listening, urls = [], []
    for place in places(loaded.settings):
        try:
            listening.append(listen(place))
        except OSError as error:
            print(f"cannot listen on {place.host} port {place.port}: {error.strerror}", file=sys.stderr)
            return CANNOT_LISTEN
        urls.append(msgspec.structs.replace(place, port=port_of(listening[-1])).url)
    text = banner(loaded, urls, missing() if path is None else None)
    return start(source, loaded, tuple(listening), partial(print, text, flush=True))


def _overrides(given: argparse.Namespace) -> dict[str, str]:
    """Return the flags as the environment variables that they stand for."""
    flags = {"HOST": given.host, "PORT": given.port, "WORKERS": given.workers}
    return {f"WIZARD_SERVER__{name}": value for name, value in flags.items() if value is not None}


def _found_here() -> dict[str, object]:
    """Return, as settings, the providers that need no configuration because they run on this machine."""
    addresses = {
        name: (preset.base_url + preset.models).removesuffix("/models")
        for name, preset in PRESETS.items()
        if preset.automatic and not preset.key_env
    }
    found = asyncio.run(_probe(addresses))
    providers: dict[str, object] = {name: {"kind": name, "models": models} for name, models in found.items()}
    if missing() is None:
        providers["local"] = {"kind": "local"}
    return {"providers": providers}


async def _probe(addresses: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    client = PoolClient(PoolOptions())
    try:
        return await discover(addresses, client)
    finally:
        await client.aclose()


def _leave(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)
