"""
What our own code costs: `python -m loadtests.own_code`, figures as JSON.

The real ASGI application with its real pipeline, called inside this process with a `receive` and a `send` that only
hold bytes, in front of an upstream client that only holds bytes. So neither uvicorn nor a socket nor the upstream
client is in the figures; the framework, the stages, the codec, the metrics and the request log are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeAlias

import msgspec
import uvloop

from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, build_gateway, make_deps
from app.assembly.tracing import Tracers
from app.config.load import Loaded, Source
from app.core.clock import Clock, SystemClock
from app.core.gateway import Gateway
from app.core.ports import HttpRequest
from app.serving.process import settle_garbage
from app.telemetry.fanout import FanOut
from app.telemetry.logs import FLUSH_AFTER_S, LogBook
from app.telemetry.metrics import Metrics
from loadtests import messages
from loadtests.gateways import config_file
from loadtests.processes import Cores, pinned
from loadtests.results import InProcess, OneRound, in_process
from loadtests.yardstick import yardstick_us

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_REQUESTS: Final = 1000
_STREAMS: Final = 20
_TOKENS: Final = 200
_NEVER_S: Final = 86_400.0
_OK: Final = 200


class CannedReply:
    """
    An answer whose bytes are all there; each part is one read of the gateway, and as cheap as one of the pool.

    The last one is all there as soon as those before it were read, as it is where it comes in one piece.
    """

    status = _OK

    def __init__(self, media_type: str, parts: Sequence[bytes]) -> None:
        self.headers: Mapping[str, str] = {"content-type": media_type}
        self._left = list(reversed(parts))

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the parts."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()

    def rest(self) -> bytes | None:
        """Take the last part."""
        if len(self._left) > 1:
            return None
        return self._left.pop() if self._left else b""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class CannedUpstream:
    """An upstream client without a network: every request gets the answer that is set now."""

    def __init__(self) -> None:
        self._media_type = ""
        self._parts: Sequence[bytes] = ()

    def answer_unary(self) -> None:
        """Answer with the completion from now on."""
        self._media_type, self._parts = "application/json", [messages.completion()]

    def answer_stream(self, tokens: int) -> None:
        """Answer with a stream of `tokens` chunks from now on."""
        frames = [messages.role_frame(), *(messages.token_frame(float(number)) for number in range(tokens))]
        self._media_type, self._parts = "text/event-stream", [*frames, messages.closing_frames(tokens, usage=True)]

    async def send(self, request: HttpRequest) -> CannedReply:  # noqa: ARG002 - the signature is the port's
        """Return the answer, after letting others run once, as waiting for a network would."""
        await asyncio.sleep(0)
        return CannedReply(self._media_type, self._parts)

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Holds a gateway that is never exchanged."""

    current: Gateway


class Exchange:
    """One request and what came back; its `receive` and `send` are what a server would give the application."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.ended = False

    async def receive(self) -> Message:
        """Hand out the body, and then wait for a client that never leaves."""
        if self._body is None:
            await asyncio.get_running_loop().create_future()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Note status and end."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body", False):
            self.ended = True


async def cpu_us(app: App, body: bytes, times: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> float:
    """
    Answer the same request `times` times and return the CPU µs that one took; `headers` come on top of the usual ones.

    Raises `AssertionError` if an answer is not a complete 200: its cost would mean nothing.
    """
    scope = request_scope(body)
    scope["headers"] += headers
    began_s = time.process_time()
    for _ in range(times):
        exchange = Exchange(body)
        await app(dict(scope), exchange.receive, exchange.send)
        assert exchange.status == _OK
        assert exchange.ended
    return (time.process_time() - began_s) / times * 1e6


async def measure(app: App, upstream: CannedUpstream, rounds: int) -> InProcess:
    """Measure `rounds` times after one round to warm up; what the harness itself costs is taken off."""
    return in_process([await _round(app, upstream) for _ in range(rounds + 1)][1:])


async def _round(app: App, upstream: CannedUpstream) -> OneRound:
    before_us = await yardstick_us()
    unary, short, long = (messages.chat_request("bench", tokens=tokens) for tokens in (None, 1, 1 + _TOKENS))
    harness_us = await cpu_us(_harness_only, unary, _REQUESTS)
    upstream.answer_unary()
    request_us = await cpu_us(app, unary, _REQUESTS)
    upstream.answer_stream(1)
    stream_us = await cpu_us(app, short, _REQUESTS // 2)
    upstream.answer_stream(1 + _TOKENS)
    long_us = await cpu_us(app, long, _STREAMS)
    yardstick = (before_us + await yardstick_us()) / 2
    return request_us - harness_us, stream_us - harness_us, (long_us - stream_us) / _TOKENS, yardstick


async def _harness_only(_scope: Message, receive: Receive, send: Send) -> None:
    """Do what every application under test does, and nothing else."""
    await receive()
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": _OK, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def request_scope(body: bytes) -> dict[str, Any]:
    """Make the ASGI scope of a chat completion as uvicorn makes it."""
    headers = [
        (b"host", b"127.0.0.1:8080"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }


@asynccontextmanager
async def _no_lifespan(_app: Api) -> AsyncGenerator[None]:
    yield


@contextmanager
def open_app(
    config: Path,
    upstream: CannedUpstream,
    log: BinaryIO,
    clock: Clock = SystemClock(),  # noqa: B008 - it holds nothing
    build: Callable[[Loaded, Deps], Gateway] = build_gateway,
) -> Iterator[Api]:
    """
    Compose the application as `app.main` does, but on `upstream` and with its request log in `log`.

    On another clock than the system's, no batch of the log is ever due for its age.
    """
    loaded = Source(config, {}, {}).read()
    flush_after_s = FLUSH_AFTER_S if isinstance(clock, SystemClock) else _NEVER_S
    with closing(LogBook(log, clock, level=loaded.settings.logging.level, flush_after_s=flush_after_s)) as book:
        listener = FanOut([Metrics(), book] if loaded.settings.metrics.enabled else [book])
        deps = make_deps(upstream, upstream, listener, clock=clock)
        with closing(Tracers(clock, deps.chance)) as tracers:
            gateway = build(loaded, msgspec.structs.replace(deps, tracers=tracers))
            door = Door(version="bench", started_wall=clock.wall(), registry=None, exposition=None)
            yield Api(Desk(Fixed(gateway), listener, clock), door, _no_lifespan)


async def _measured(config: Path, log: BinaryIO, rounds: int) -> InProcess:
    upstream = CannedUpstream()
    with open_app(config, upstream, log) as app:
        settle_garbage()  # as the gateway does: or a figure would grow with every module that is imported
        return await measure(app, upstream, rounds)


def main(arguments: Sequence[str]) -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="loadtests.own_code", description="CPU of the gateway's own code.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    with (
        tempfile.TemporaryDirectory() as directory,
        Path(os.devnull).open("wb") as log,
        pinned(Cores.of_machine().tested),  # moved from core to core a call costs up to half as much again
    ):
        config = config_file(Path(directory), {})
        found = uvloop.run(_measured(config, log, rounds))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
