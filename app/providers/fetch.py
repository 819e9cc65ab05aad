"""Fetches one small document: a list of models, or the published keys of a token issuer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from app.core.errors import TARGET_FAILED, TARGET_TIMEOUT, GatewayError
from app.core.ports import HttpRequest, UpstreamClient
from app.providers.reading import ReadGuard, read_whole

FETCH_S: Final = 5.0
DOCUMENT_MAX_BYTES: Final = 1_048_576
_CONNECT_S = 3.0
_HEADERS = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "wizard"))


class Document(msgspec.Struct, frozen=True):
    """A response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(client: UpstreamClient, request: HttpRequest, within_s: float, max_bytes: int) -> Document:
    """Return the whole answer to `request`; raise `GatewayError` if it takes too long or is too large."""
    try:
        async with asyncio.timeout(within_s):
            reply = await client.send(request)
            try:
                guard = ReadGuard(within_s, asyncio.get_running_loop().time() + within_s)
                return Document(reply.status, reply.headers, await read_whole(reply, guard, max_bytes))
            finally:
                await reply.aclose()
    except TimeoutError as error:
        raise GatewayError(TARGET_TIMEOUT, f"There was no answer within {within_s:g} s.") from error


async def fetch(client: UpstreamClient, url: str) -> bytes:
    """Return the document at `url`; raise `GatewayError` for any status but 200: redirects are not followed."""
    found = await ask(client, HttpRequest("GET", url, _HEADERS, b"", _CONNECT_S), FETCH_S, DOCUMENT_MAX_BYTES)
    if found.status != HTTPStatus.OK:
        raise GatewayError(TARGET_FAILED, f"The document's server answers {found.status}.")
    return found.body
