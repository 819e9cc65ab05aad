"""Every kind of address leads to circuits that work: one server, a cluster, a master behind Sentinels, a socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster, SSLConnection

from app.core.circuits import CircuitState
from app.state.link.connecting import connect, disconnect
from tests.state.sharing import POLICY, replica, until
from tests.support.redis_server import RedisServer, redis_server

SLOTS = 16_384


@pytest.fixture
def cluster() -> Iterator[RedisServer]:
    """Run a cluster of one node that has all slots."""
    with redis_server(None, "--cluster-enabled", "yes") as node:
        node.do("CLUSTER", "ADDSLOTS", *range(SLOTS))
        pause = threading.Event()
        while "cluster_state:ok" not in node.do("CLUSTER", "INFO"):
            pause.wait(0.05)
        yield node


@pytest.fixture
def sentinel(server: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Sentinel that knows `server` as the master `mymaster`."""
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"sentinel monitor mymaster 127.0.0.1 {server.port} 1\n", encoding="utf-8")
    with redis_server(None, str(settings), "--sentinel") as watching:
        yield watching


async def opened_by(url: str) -> CircuitState:
    """Open a circuit through one replica and return what another one sees."""
    async with replica(url, "address") as one, replica(url, "address") as other:
        await one.fail(POLICY.failure_threshold)
        await until(other.changes)
        return await other.state()


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_one_server(shared_server: RedisServer, scheme: str) -> None:
    """Under both names."""
    shared_server.do("DEL", "{address:circuits}:states")

    state = await opened_by(shared_server.url.replace("redis", scheme))

    assert state is CircuitState.OPEN


async def test_a_socket(tmp_path: Path) -> None:
    """A server on this machine needs no port."""
    path = tmp_path / "redis.sock"
    with redis_server(None, "--unixsocket", str(path)):
        state = await opened_by(f"unix://{path}")

    assert state is CircuitState.OPEN


async def test_a_password_and_a_database() -> None:
    """Both stand in the address; special characters are escaped there."""
    with redis_server(None, "--requirepass", "p@ss/word") as server:
        url = f"redis://:p%40ss%2Fword@127.0.0.1:{server.port}/3"
        state = await opened_by(url)

    assert state is CircuitState.OPEN


async def test_a_cluster(cluster: RedisServer) -> None:
    """The keys of one decision share a slot, so a cluster takes it."""
    state = await opened_by(f"redis+cluster://127.0.0.1:{cluster.port}")

    assert state is CircuitState.OPEN


async def test_a_master_behind_sentinels(sentinel: RedisServer) -> None:
    """The first Sentinel is not there, the second knows the master."""
    state = await opened_by(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/mymaster/0")

    assert state is CircuitState.OPEN


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rediss://u:p@h:1/2?ssl_ca_certs=/ca.pem", {"host": "h", "port": 1, "db": 2, "ssl_ca_certs": "/ca.pem"}),
        ("valkeys://h", {"host": "h"}),
    ],
)
async def test_tls_is_used_where_the_address_says_so(url: str, expected: dict[str, Any]) -> None:
    """The certificate's file is handed on."""
    client = connect(url, 1.0)

    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert pool.connection_class is SSLConnection
    assert expected.items() <= pool.connection_kwargs.items()
    await client.aclose()


async def test_tls_for_sentinels_and_clusters() -> None:
    """Both the Sentinels and what they lead to."""
    behind = connect("rediss+sentinel://u:p@h,[::1]:5/name/4", 1.0)
    cluster = connect("valkeys+cluster://u:p@h:7,i", 1.0)

    assert isinstance(behind, Redis)
    pool: Any = behind.connection_pool
    assert pool.connection_class.__name__ == "SentinelManagedSSLConnection"
    assert {"username": "u", "password": "p", "db": 4}.items() <= pool.connection_kwargs.items()
    watched = [each.connection_pool for each in pool.sentinel_manager.sentinels]
    assert [("h", 26379), ("::1", 5)] == [
        (each.connection_kwargs["host"], each.connection_kwargs["port"]) for each in watched
    ]
    assert all(issubclass(each.connection_class, SSLConnection) for each in watched)
    assert isinstance(cluster, RedisCluster)
    assert [("h", 7), ("i", 6379)] == [(node.host, node.port) for node in cluster.nodes_manager.startup_nodes.values()]
    assert {"username": "u", "password": "p"}.items() <= cluster.connection_kwargs.items()
    await disconnect(behind)
    await disconnect(cluster)
