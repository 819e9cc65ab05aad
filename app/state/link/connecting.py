"""
Creates a redis-py client, without retries of its own, from a URL: one Redis, a Sentinel's master, or a cluster.

    redis://USER:PASSWORD@HOST:PORT/DB              rediss:// with TLS; valkey:// and valkeys:// mean the same
    redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB    NAME is that of the master
    redis+cluster://HOST:PORT,HOST:PORT             any of its nodes
    unix://USER:PASSWORD@/PATH?db=DB
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

from app.state.link.pipelines import Client

_SENTINEL_PORT, _PORT = 26379, 6379
_CONNECTIONS_MAX = 4  # one is in use at a time; the others are being opened or closed


def connect(url: str, connect_s: float) -> Client:
    """
    Return a client for `url`; no connection is opened yet. The caller closes it, with `disconnect`.

    Raises:
        ValueError: The URL has an unknown option.
    """
    scheme, _, rest = url.replace("valkey", "redis", 1).partition("://")
    scheme, _, kind = scheme.partition("+")
    calm: dict[str, Any] = {"socket_connect_timeout": connect_s, "retry": Retry(NoBackoff(), 0), "protocol": 2}
    match kind:
        case "sentinel":
            return _sentinel(scheme, rest, calm)
        case "cluster":
            return _cluster(scheme, rest, calm)
        case _:
            return Redis.from_url(f"{scheme}://{rest}", max_connections=_CONNECTIONS_MAX, **calm)


async def disconnect(client: Client) -> None:
    """Close all connections of a client, including those to Sentinels, which redis-py leaves open."""
    await client.aclose()
    pool = None if isinstance(client, RedisCluster) else client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _sentinel(scheme: str, rest: str, calm: dict[str, Any]) -> Redis:
    hosts, name, options = _several(scheme, rest, _SENTINEL_PORT)
    tls = options.pop("connection_class", None) is SSLConnection
    options |= calm | {"ssl": tls}
    sentinels = {**calm, "ssl": tls}
    made: Sentinel = Sentinel(hosts, sentinel_kwargs=sentinels)  # type: ignore[no-untyped-call] # redis-py's omission
    client: Redis = made.master_for(name, **options)
    return client


def _cluster(scheme: str, rest: str, calm: dict[str, Any]) -> RedisCluster:
    hosts, _, options = _several(scheme, rest, _PORT)
    tls = options.pop("connection_class", None) is SSLConnection
    options.pop("db", None)  # a cluster has one
    nodes = [ClusterNode(host, port) for host, port in hosts]
    return RedisCluster(startup_nodes=nodes, ssl=tls, **options, **calm)


def _several(scheme: str, rest: str, port: int) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Return the hosts, the first part of the path, and redis-py's options of everything else."""
    parts = urlsplit(f"{scheme}://{rest}")
    login, _, hosts = parts.netloc.rpartition("@")
    name, _, db = parts.path.strip("/").partition("/")
    query = f"?{parts.query}" if parts.query else ""
    options: dict[str, Any] = dict(parse_url(f"{scheme}://{login + '@' if login else ''}host/{db}{query}"))
    options.pop("host", None)
    options.pop("port", None)
    split = (urlsplit(f"//{host}") for host in hosts.split(","))
    return [(each.hostname or "", each.port or port) for each in split], name, options
