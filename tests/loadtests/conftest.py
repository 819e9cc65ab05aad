"""The benchmark's servers, inside the test's own event loop and on a free port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from loadtests.floor import ClientConnection, Upstream
from loadtests.upstream import MockUpstream, Script


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """Serve `protocol` on a free port of 127.0.0.1 for the length of the context, and yield the port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def mock_port() -> AsyncIterator[int]:
    """Serve the mock, whose streams have five chunks and no pauses."""
    async with listening(lambda: MockUpstream(Script(tokens=5, interval_s=0.0))) as port:
        yield port


@pytest.fixture
async def floor_port(mock_port: int) -> AsyncIterator[int]:
    """Serve the floor in front of the mock; `bench` is its only model."""
    upstream = Upstream(mock_port)
    async with listening(lambda: ClientConnection({"bench": upstream})) as port:
        yield port
        for connection in upstream.idle:
            connection.transport.close()
