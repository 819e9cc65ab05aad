"""A pool for every test, and the event loops they run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from app.providers.pool import PoolClient, PoolOptions


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - pytest hands over by name
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests of a module that says `ON_BOTH_LOOPS` twice: the scripted server is for asyncio's own loop."""
    module = item.getparent(pytest.Module)
    if module is not None and getattr(module.obj, "ON_BOTH_LOOPS", False):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def pool() -> AsyncIterator[PoolClient]:
    """Lend a pool with the default options."""
    client = PoolClient(PoolOptions())
    yield client
    await client.aclose()
