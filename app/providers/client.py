"""
The `UpstreamClient` on httpx2, for what the pool does not support: proxies and HTTP/2. The only module that imports it.

It uses httpx2's transports, which do not follow redirects, keep cookies, use proxies from the environment or decode
content: a gateway must do none of these on its own. It never retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx2

from app.core.bodies import Upload
from app.core.errors import INVALID_REQUEST, TARGET_UNAVAILABLE, TIMEOUT_CONNECT, GatewayError
from app.core.ports import HttpRequest
from app.providers.pool.options import PoolOptions
from app.providers.pool.tls import client_context


class HttpxClient:
    """
    Sends requests with keep-alive, through the HTTP proxy at `proxy` if one is given, by HTTP/2 if both sides want it.

    Owns its connections; close it with `aclose`. Of the pool's options it uses those for connections and TLS.

    Raises:
        GatewayError: TARGET_MISCONFIGURED for TLS files that cannot be used.
    """

    def __init__(self, options: PoolOptions | None = None, proxy: str | None = None, *, http2: bool = False) -> None:
        options = options or PoolOptions()
        most = options.connections_max
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=options.idle_s)
        self._transport = httpx2.AsyncHTTPTransport(
            verify=client_context(options.tls), http2=http2, limits=limits, trust_env=False, retries=0, proxy=proxy
        )

    async def send(self, request: HttpRequest) -> HttpxReply:
        """Send `request`; see the port."""
        try:
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        except UnicodeEncodeError as error:
            raise GatewayError(INVALID_REQUEST, "A header holds characters that HTTP cannot carry.") from error
        content: bytes | AsyncIterator[bytes] | None = request.body or None
        if request.upload is not None:
            content = _pieces(request.body, request.upload)
            if request.upload.length is not None:
                headers.append((b"content-length", b"%d" % (len(request.body) + request.upload.length)))
        timeout = {"connect": request.connect_s, "pool": request.connect_s, "read": None, "write": None}
        outgoing = httpx2.Request(
            request.method, request.url, headers=headers, content=content,
            extensions={"timeout": timeout},
        )  # fmt: skip
        try:
            response = await self._transport.handle_async_request(outgoing)
        except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            message = f"No connection to the provider within {request.connect_s:g} s."
            raise GatewayError(TIMEOUT_CONNECT, message) from error
        except httpx2.TransportError as error:
            raise GatewayError(TARGET_UNAVAILABLE, _reason(error)) from error
        return HttpxReply(response)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class HttpxReply:
    """One response of httpx2, behind the port."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.aclose = response.aclose

    def rest(self) -> bytes | None:
        """Return nothing if the body was read to its end; nobody knows before."""
        return b"" if self._response.is_closed else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives; see the port."""
        try:
            async for data in self._response.aiter_raw():
                yield data
        except httpx2.TransportError as error:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider's connection broke in mid-answer.") from error


async def _pieces(held: bytes, upload: Upload) -> AsyncIterator[bytes]:
    if held:
        yield held
    while (piece := await upload.next()) is not None:
        yield piece


def _reason(error: httpx2.TransportError) -> str:
    if isinstance(error, httpx2.ConnectError):
        return "The connection to the provider was refused or its name is unknown."
    return "The connection to the provider broke before it answered."
