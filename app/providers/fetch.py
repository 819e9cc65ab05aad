"""Get one document from an address of the configuration, such as the published keys of an issuer of tokens."""

from __future__ import annotations

import asyncio
from typing import Final

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_FAILED, TARGET_TIMEOUT, GatewayError
from app.core.ports import HttpRequest, UpstreamClient

FETCH_S: Final = 5.0
DOCUMENT_MAX_BYTES: Final = 1_048_576
_CONNECT_S = 3.0
_OK = 200
_HEADERS = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "wizard"))


async def fetch(client: UpstreamClient, url: str) -> bytes:
    """
    Return the document at `url`; no redirect is followed.

    Raises:
        GatewayError: It could not be had: out of reach, too slow, too large, or another status than 200.
    """
    try:
        async with asyncio.timeout(FETCH_S):
            return await _fetch(client, url)
    except TimeoutError as error:
        raise GatewayError(TARGET_TIMEOUT, "The document did not come in time.") from error


async def _fetch(client: UpstreamClient, url: str) -> bytes:
    reply = await client.send(HttpRequest("GET", url, _HEADERS, b"", _CONNECT_S))
    try:
        if reply.status != _OK:
            raise GatewayError(TARGET_FAILED, f"The document's server answers {reply.status}.")
        parts, size = [], 0
        async for chunk in reply.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > DOCUMENT_MAX_BYTES:
                raise GatewayError(BAD_UPSTREAM_REPLY, f"The document has more than {DOCUMENT_MAX_BYTES} bytes.")
        return b"".join(parts)
    finally:
        await reply.aclose()
