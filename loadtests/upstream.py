"""
A fast stand-in for an OpenAI-compatible provider: `python -m loadtests.upstream --port P`.

It must never be the bottleneck: answers are bytes built once, and a stream is one timer and one write per chunk.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import httptools
import msgspec
import uvloop

from loadtests import messages

_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_ROLE: Final = messages.http_chunk(messages.role_frame())
_COMPLETION: Final = messages.http_answer(messages.completion())
_MODELS: Final = messages.http_answer(messages.models())
_NOT_FOUND: Final = messages.http_answer(
    b'{"error":{"message":"unknown path","type":"invalid_request_error"}}', b"404 X"
)
_BAD_BODY: Final = messages.http_answer(b'{"error":{"message":"bad body","type":"invalid_request_error"}}', b"400 X")


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Ask(msgspec.Struct):
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None


_DECODER: Final = msgspec.json.Decoder(_Ask)


@dataclass(frozen=True, slots=True)
class Script:
    """How the mock streams: chunks where the request sets no `max_tokens`, and the seconds between two."""

    tokens: int = 200
    interval_s: float = 0.005
    clock: Callable[[], float] = time.monotonic


class MockUpstream(asyncio.Protocol):
    """Serve one keep-alive connection; requests on it are answered one after the other."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._url = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop a running stream: the other side is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; it calls the `on_` methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

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
        """Answer the request that is now complete."""
        if self._url == b"/v1/models":
            self._transport.write(_MODELS)
        elif self._url == b"/v1/chat/completions":
            self._chat(b"".join(self._body))
        else:
            self._transport.write(_NOT_FOUND)

    def _chat(self, body: bytes) -> None:
        try:
            ask = _DECODER.decode(body)
        except msgspec.MsgspecError:
            self._transport.write(_BAD_BODY)
            return
        if not ask.stream:
            self._transport.write(_COMPLETION)
            return
        self._transport.write(_STREAM_HEAD + _ROLE)
        self._send_token(ask, self._loop.time(), 1)

    def _send_token(self, ask: _Ask, began_s: float, number: int) -> None:
        """Send chunk `number` and plan the next by the stream's start, so that delays do not add up."""
        self._transport.write(messages.http_chunk(messages.token_frame(self._script.clock())))
        tokens = ask.max_tokens or self._script.tokens
        if number < tokens:
            due_s = began_s + number * self._script.interval_s
            self._timer = self._loop.call_at(due_s, self._send_token, ask, began_s, number + 1)
            return
        usage = ask.stream_options is not None and ask.stream_options.include_usage
        closing = messages.closing_frames(tokens, usage=usage)
        self._transport.write(messages.http_chunk(closing) + b"0\r\n\r\n")


async def serve(port: int, script: Script) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: MockUpstream(script), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    usual = Script()
    parser = argparse.ArgumentParser(description="Mock OpenAI-compatible upstream for the benchmark.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens", type=int, default=usual.tokens, help="chunks of a stream without max_tokens")
    parser.add_argument("--interval-ms", type=float, default=usual.interval_s * 1000, help="between two chunks")
    options = parser.parse_args()
    uvloop.run(serve(options.port, Script(options.tokens, options.interval_ms / 1000)))


if __name__ == "__main__":
    main()
