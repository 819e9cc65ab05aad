"""The Redis server of this folder's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run a server for tests that treat it well."""
    with redis_server() as started:
        yield started


@pytest.fixture
def fragile() -> Iterator[RedisServer]:
    """Run a server for one test that will treat it badly."""
    with redis_server() as started:
        yield started
