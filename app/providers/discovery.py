"""Look which model servers run on this machine, so that the gateway can be started without a configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from app.core.errors import GatewayError
from app.core.ports import HttpRequest, UpstreamClient
from app.providers.reading import ReadGuard, read_whole

PROBE_S = 1.0  # a server on this machine answers in milliseconds or refuses at once; a busy machine takes longer
_LIST_MAX_BYTES = 1_048_576


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model] | None  # Ollama writes null while it has none


async def discover(addresses: Mapping[str, str], client: UpstreamClient) -> dict[str, tuple[str, ...]]:
    """
    Return the models of each server that answers `GET {base_url}/models` at once.

    Args:
        addresses: Provider name to base URL.

        client: What to ask with.
    """
    found = await asyncio.gather(*(_models(address, client) for address in addresses.values()))
    return {name: models for name, models in zip(addresses, found, strict=True) if models is not None}


async def _models(address: str, client: UpstreamClient) -> tuple[str, ...] | None:
    try:
        async with asyncio.timeout(PROBE_S):
            body = await _listing(address, client)
        return tuple(model.id for model in msgspec.json.decode(body, type=_Models).data or ())
    except (GatewayError, TimeoutError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


async def _listing(address: str, client: UpstreamClient) -> bytes:
    """Return what the server says its models are, or nothing if it refuses to say."""
    request = HttpRequest("GET", f"{address}/models", (("accept", "application/json"),), b"", PROBE_S)
    reply = await client.send(request)
    try:
        guard = ReadGuard(PROBE_S, asyncio.get_running_loop().time() + PROBE_S)
        return await read_whole(reply, guard, _LIST_MAX_BYTES) if reply.status == HTTPStatus.OK else b""
    finally:
        await reply.aclose()
