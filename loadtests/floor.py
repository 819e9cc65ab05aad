"""
The floor: the least a proxy written in Python can do (`python -m loadtests.floor --port P --upstream-port Q`).

Two asyncio protocols with httptools, callbacks only: read the request, decode its JSON, choose the upstream by model,
send it on over a kept-alive connection, hand back the bytes as they come. No framework, no task, no error mapping,
no timeouts: whatever a real gateway costs above this is what it does for its users.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import httptools
import msgspec
import uvloop

from loadtests import messages

_NO_MODEL: Final = messages.http_answer(b'{"error":{"message":"unknown model"}}', b"404 Not Found")
_BAD_BODY: Final = messages.http_answer(b'{"error":{"message":"bad body"}}', b"400 Bad Request")
_NO_UPSTREAM: Final = messages.http_answer(b'{"error":{"message":"upstream unreachable"}}', b"502 Bad Gateway")


@dataclass(eq=False, slots=True)
class Upstream:
    """One upstream address, its idle connections and the connects under way."""

    port: int
    idle: list[UpstreamConnection] = field(default_factory=list)
    connecting: set[asyncio.Task[None]] = field(default_factory=set)

    def relay(self, request: bytes, client: ClientConnection) -> None:
        """Send `request` on an idle connection, or on a new one if none is idle."""
        if self.idle:
            self.idle.pop().send(request, client)
            return
        task = asyncio.get_running_loop().create_task(self._connect(request, client))
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)

    async def _connect(self, request: bytes, client: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: UpstreamConnection(self), "127.0.0.1", self.port)
        except OSError:
            client.transport.write(_NO_UPSTREAM)
            return
        connection.send(request, client)


class UpstreamConnection(asyncio.Protocol):
    """One keep-alive connection to an upstream; serves one client at a time."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpResponseParser(self)
        self._client: ClientConnection | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to send on."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Leave the pool, or cut the client whose answer is now incomplete."""
        if self._client is not None:
            self._client.transport.abort()
        elif self in self._upstream.idle:
            self._upstream.idle.remove(self)

    def send(self, request: bytes, client: ClientConnection) -> None:
        """Send one request whose answer belongs to `client`."""
        self._client = client
        client.upstream = self
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on as they are; the parser only finds where the answer ends."""
        if self._client is None:
            self.transport.abort()
            return
        self._client.transport.write(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_complete(self) -> None:
        """Return to the pool."""
        if self._client is not None:
            self._client.upstream = None
            self._client = None
        self._upstream.idle.append(self)


class ClientConnection(asyncio.Protocol):
    """One keep-alive connection of a client; requests on it are relayed one after the other."""

    def __init__(self, routes: Mapping[str, Upstream]) -> None:
        self._routes = routes
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self.upstream: UpstreamConnection | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop the upstream if it is still answering."""
        if self.upstream is not None:
            self.upstream.transport.abort()

    def pause_writing(self) -> None:
        """Stop reading from the upstream while the client is slow."""
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on from the upstream."""
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; it calls the `on_` methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._url = b""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        """Collect the path, which may arrive in parts."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Collect the body, which may arrive in parts."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Choose the upstream by the model in the body, and relay."""
        body = b"".join(self._body)
        try:
            upstream = self._routes[msgspec.json.decode(body)["model"]]
        except msgspec.MsgspecError:
            self.transport.write(_BAD_BODY)
        except (KeyError, TypeError):
            self.transport.write(_NO_MODEL)
        else:
            upstream.relay(messages.http_request(body), self)


async def serve(port: int, routes: Mapping[str, Upstream]) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ClientConnection(routes), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="The raw asyncio proxy that stands for the floor.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, {"bench": Upstream(options.upstream_port)}))


if __name__ == "__main__":
    main()
