"""Gateways with their state in memory, or in a Redis of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.gateway import GatewayProcess, Start, running
from tests.support.redis_server import redis_server


@contextmanager
def with_state(where: str, config: Mapping[str, Any]) -> Iterator[GatewayProcess]:
    """Run a gateway whose state is in `memory` or in `redis`."""
    if where == "memory":
        with running(Start(dict(config))) as gateway:
            yield gateway
        return
    with redis_server() as redis, running(Start({**config, "redis": redis.patient})) as gateway:
        yield gateway
