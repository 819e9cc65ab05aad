"""The machine-dependent part of the embedded default: providers that are installed or running on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from app.config.load import Loaded, Source, find
from app.config.presets import PRESETS
from app.config.trees import merged
from app.providers.discovery import discover
from app.providers.local.wheels import missing
from app.providers.pool import PoolClient, PoolOptions


def built_in() -> dict[str, dict[str, object]]:
    """Return the settings of the providers that are installed on this machine."""
    return {"providers": {"local": {"kind": "local"}} if missing() is None else {}}


def read_here(path: Path | None) -> Loaded:
    """
    Return the configuration as a gateway on this machine would have it, except for providers found by probing ports.

    Raises:
        ConfigError: With every problem at once.
    """
    return Source(path, {}, built_in() if find(path) is None else {}).read()


def found_here() -> dict[str, object]:
    """Return the settings of the providers that are installed here, and of those that answer on their usual ports."""
    addresses = {
        name: (preset.base_url + preset.models).removesuffix("/models")
        for name, preset in PRESETS.items()
        if preset.automatic and not preset.key_env
    }
    running = asyncio.run(_probe(addresses))
    providers: dict[str, object] = {name: {"kind": name, "models": models} for name, models in running.items()}
    return merged({"providers": providers}, built_in())


async def _probe(addresses: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    client = PoolClient(PoolOptions())
    try:
        return await discover(addresses, client)
    finally:
        await client.aclose()
