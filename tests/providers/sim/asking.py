"""Ask the scripted provider and read what it says; and the clocks to do that without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from app.core.errors import GatewayError, Kind
from app.core.ports import HttpRequest, UpstreamReply
from app.providers.sim import SimUpstream

YEAR_S = 365 * 86_400.0
TEXT = "one two  three"


class ListedClock:
    """A clock on which nothing takes time; it lists the pauses it was asked for."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        """Stand still."""
        return 0.0

    def wall(self) -> float:
        """Stand still, in November 2023."""
        return 1_700_000_000.5

    async def sleep(self, seconds: float) -> None:
        """Take note."""
        self.slept.append(seconds)


class StoppedClock(ListedClock):
    """A clock on which no pause ever ends."""

    async def sleep(self, seconds: float) -> None:
        """Take note, and never return."""
        self.slept.append(seconds)
        await asyncio.Event().wait()


def says(text: str) -> list[dict[str, str]]:
    """Return a conversation of one user message."""
    return [{"role": "user", "content": text}]


def asking(model: str, **fields: object) -> HttpRequest:
    """Return a chat request; the user says `TEXT` unless `fields` hold other messages."""
    body = {"model": model, "messages": says(TEXT), **fields}
    return HttpRequest("POST", "http://sim/v1/chat/completions", (), msgspec.json.encode(body), 5.0)


@asynccontextmanager
async def replying(sim: SimUpstream, request: HttpRequest) -> AsyncGenerator[UpstreamReply, None]:
    """Send and, in the end, close."""
    reply = await sim.send(request)
    try:
        yield reply
    finally:
        await reply.aclose()


async def whole(sim: SimUpstream, request: HttpRequest) -> bytes:
    """Return the body of a good end."""
    async with replying(sim, request) as reply:
        return b"".join([data async for data in reply.chunks()])


async def broken(sim: SimUpstream, request: HttpRequest) -> tuple[bytes, Kind | None]:
    """Return the body up to where it broke, and the kind of the failure."""
    body = b""
    async with replying(sim, request) as reply:
        try:
            async for data in reply.chunks():
                body += data
        except GatewayError as error:
            return body, error.kind
    return body, None


async def answer(sim: SimUpstream, request: HttpRequest) -> Any:  # noqa: ANN401 - the JSON border
    """Return the decoded body of a good answer."""
    async with replying(sim, request) as reply:
        assert reply.status == 200
        return msgspec.json.decode(b"".join([data async for data in reply.chunks()]))


async def refusal(sim: SimUpstream, request: HttpRequest) -> tuple[int, Any]:
    """Return the status and the error object."""
    async with replying(sim, request) as reply:
        body = b"".join([data async for data in reply.chunks()])
        return reply.status, msgspec.json.decode(body)["error"]


async def streamed(sim: SimUpstream, model: str, **fields: object) -> list[Any]:
    """Return the payloads of a streamed answer."""
    return payloads(await whole(sim, asking(model, stream=True, **fields)))


def payloads(body: bytes) -> list[Any]:
    """Return what the frames hold, each checked to be one `data:` line; `[DONE]` as text."""
    assert body.endswith(b"\n\n")
    frames = body.removesuffix(b"\n\n").split(b"\n\n")
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    found = [frame.removeprefix(b"data: ") for frame in frames]
    return ["[DONE]" if data == b"[DONE]" else msgspec.json.decode(data) for data in found]


def deltas(events: list[Any], index: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the deltas of one choice."""
    for event in (event for event in events if event != "[DONE]"):
        for choice in event.get("choices", ()):
            if choice["index"] == index:
                yield choice["delta"]


def contents(events: list[Any], index: int = 0) -> list[str]:
    """Return the pieces of one choice's text."""
    return [delta["content"] for delta in deltas(events, index) if delta.get("content")]
