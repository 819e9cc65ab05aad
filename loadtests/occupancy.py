"""
What many of something cost a running gateway: clients, streams, sessions, stored answers, and doing nothing.

Memory is the resident memory of its processes after so many of them, less that before, by their number. A few come
before that, so that what is allocated once is not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from app.core.ports import HttpRequest
from app.providers.pool import PoolClient, PoolOptions
from loadtests import messages
from loadtests.processes import Server

_KB: Final = 1000
_MIB: Final = 2**20
_OK: Final = range(200, 300)
_AT_ONCE: Final = 32
_WARM: Final = 100
_REST_S: Final = 5.0
_TURNS: Final = 3


class Gateway:
    """A gateway under test, its port, and a client for it."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port
        self._client = PoolClient(PoolOptions(per_origin_max=_AT_ONCE, connections_max=_AT_ONCE))

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a good answer, or None."""
        raw = b"" if body is None else msgspec.json.encode(body)
        headers = (("content-type", "application/json"),)
        reply = await self._client.send(HttpRequest(method, f"http://127.0.0.1:{self.port}{path}", headers, raw, 10.0))
        try:
            read = b"".join([chunk async for chunk in reply.chunks()])
        finally:
            await reply.aclose()
        return msgspec.json.decode(read) if reply.status in _OK else None

    async def many(self, ask: Callable[[int], Awaitable[object]], numbers: Sequence[int]) -> None:
        """Do something for each number, a few at a time."""
        waiting = iter(numbers)

        async def caller() -> None:
            for number in waiting:
                await ask(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(caller())


async def per_thing_kb(gateway: Gateway, ask: Callable[[int], Awaitable[object]], count: int) -> float:
    """Return the memory that each of `count` asked things leaves behind."""
    await gateway.many(ask, range(-_WARM, 0))
    before = gateway.server.rss_mib()
    await gateway.many(ask, range(count))
    return max(gateway.server.rss_mib() - before, 0) * _MIB / count / _KB


async def session_kb(gateway: Gateway, count: int = 2000) -> float:
    """Return the memory of a session with one message."""

    async def begin(_number: int) -> None:
        assert await gateway.ask("POST", "/v1/sessions", {"system": "Be brief."})

    return await per_thing_kb(gateway, begin, count)


async def cached_kb(gateway: Gateway, count: int = 2000) -> float:
    """Return the memory of a stored answer; each question is another one."""

    async def ask(number: int) -> None:
        question = [{"role": "user", "content": f"Question {number}"}]
        assert await gateway.ask("POST", "/v1/chat/completions", {"model": "kept", "messages": question})

    return await per_thing_kb(gateway, ask, count)


async def client_kb(gateway: Gateway, count: int = 5000) -> float:
    """Return the memory of a client that has asked once and keeps its connection."""
    return await _each_kb(gateway, _Asking(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", b"}"), count)


async def stream_kb(gateway: Gateway, count: int = 1000) -> float:
    """
    Return the memory of a stream while it waits for its next event.

    The mock must be a slow one: if the gateway had more to do than its core can, what waits to be relayed would count.
    """
    begun = _Asking(messages.http_request(messages.chat_request("bench", tokens=1000)), b"data: ")
    return await _each_kb(gateway, begun, count)


class _Asking(msgspec.Struct, frozen=True):
    """What each of many connections sends, and what it waits for."""

    request: bytes
    until: bytes


async def _each_kb(gateway: Gateway, asking: _Asking, count: int) -> float:
    async with _connections(gateway.port, asking, _WARM):
        before = gateway.server.rss_mib()
        async with _connections(gateway.port, asking, count):
            return max(gateway.server.rss_mib() - before, 0) * _MIB / count / _KB


@asynccontextmanager
async def _connections(port: int, asking: _Asking, count: int) -> AsyncIterator[None]:
    """Keep so many connections open, each of which has asked and had what it waits for."""
    opened = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(asking.request)
            await reader.readuntil(asking.until)
            opened.append(writer)
        yield
    finally:
        for writer in opened:
            writer.close()


async def session_errors(gateway: Gateway, count: int = 100) -> float:
    """Return how many turns of so many sessions at the same time failed, or are missing in the end."""

    async def converse() -> int:
        session = await gateway.ask("POST", "/v1/sessions", {})
        if session is None:
            return _TURNS
        good = 0
        for turn in range(_TURNS):
            body = {"model": "bench", "session_id": session["id"], "prompt": f"turn {turn}"}
            good += await gateway.ask("POST", "/v1/generate", body) is not None
        kept = await gateway.ask("GET", f"/v1/sessions/{session['id']}")
        return _TURNS - min(good, kept["turns"] if kept else 0)

    return float(sum(await asyncio.gather(*(converse() for _ in range(count)))))


async def idle_cpu_percent(gateway: Gateway) -> float:
    """Return the share of a core that the gateway takes while nobody asks."""
    before_s = gateway.server.cpu_s()
    await asyncio.sleep(_REST_S)
    return (gateway.server.cpu_s() - before_s) / _REST_S * 100


def warm_request() -> bytes:
    """Return what a gateway is asked until it answers."""
    return messages.chat_request("bench")
