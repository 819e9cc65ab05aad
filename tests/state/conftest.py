"""The Redis servers of this folder's tests, started once each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.redis_server import RedisServer, redis_server, servers


@pytest.fixture(scope="session")
def all_servers() -> Iterator[dict[str, RedisServer]]:
    """Run one server of each kind that this machine has."""
    with ExitStack() as running:
        yield {name: running.enter_context(redis_server(program)) for name, program in servers().items()}


@pytest.fixture(scope="session")
def shared_server(all_servers: dict[str, RedisServer]) -> RedisServer:
    """Return one server for tests that treat it well."""
    return next(iter(all_servers.values()))


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Run a server for one test that will treat it badly."""
    with redis_server() as started:
        yield started
