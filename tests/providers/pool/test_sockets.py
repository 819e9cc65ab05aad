"""Names, addresses and sockets: how a connection comes about."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohappyeyeballs import AddrInfoType

from app.core.errors import TARGET_UNAVAILABLE, TIMEOUT_CONNECT, GatewayError
from app.providers.pool import PoolClient, PoolOptions, TlsOptions
from app.providers.pool.connection import Connection
from app.providers.pool.dial import Dialer
from app.providers.pool.origin import Origin
from app.providers.pool.tls import Trust
from tests.providers.pool.talking import ask, greet, serving

ON_BOTH_LOOPS = True


class Nobody:
    """A home for a connection that stands alone."""

    def ready(self, connection: Connection) -> None:
        """Take no note."""

    def gone(self, connection: Connection, *, busy: bool) -> None:
        """Take no note."""


def dialer(*addresses: tuple[socket.AddressFamily, str]) -> Dialer:
    """Return a dialer for whom every name has these addresses."""

    async def resolve(_host: str, port: int) -> Sequence[AddrInfoType]:
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)) for family, host in addresses]

    return Dialer(Trust(TlsOptions()), resolve)


async def dial(by: Dialer, origin: Origin) -> str:
    """Open and close a connection and return the address it led to."""
    connection = await by.dial(origin, lambda: Connection(Nobody(), PoolOptions()))
    peer: tuple[str, int] = connection.transport.get_extra_info("peername")
    connection.drop()
    await connection.lost
    return peer[0]


async def test_a_unix_socket(pool: PoolClient, tmp_path: Path) -> None:
    """A provider on the same machine may listen on a socket in the file system."""
    path = tmp_path / "model.sock"
    url = f"http+unix://{str(path).replace('/', '%2F')}"
    async with serving(greet, path=path):
        answers = [await ask(pool, url) for _ in range(2)]

    assert answers == [b"hello"] * 2


async def test_a_unix_socket_that_is_not_there(pool: PoolClient, tmp_path: Path) -> None:
    """Where there is no socket nobody listens."""
    with pytest.raises(GatewayError) as caught:
        await ask(pool, f"http+unix://{str(tmp_path / 'no.sock').replace('/', '%2F')}")

    assert caught.value.kind is TARGET_UNAVAILABLE


async def test_ipv6(pool: PoolClient) -> None:
    """An address of the new kind stands in brackets."""
    async with serving(greet, host="::1") as port:
        assert await ask(pool, f"http://[::1]:{port}") == b"hello"


async def test_the_next_address_is_tried() -> None:
    """A name whose first address refuses leads to its second."""
    async with serving(greet) as port:
        reached = await dial(dialer((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")), Origin("localhost", port))

    assert reached == "127.0.0.1"


async def test_all_addresses_refuse() -> None:
    """A name none of whose addresses answers is an unavailable provider."""
    async with serving(greet) as port:
        pass

    with pytest.raises(GatewayError) as caught:
        await dial(dialer((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")), Origin("localhost", port))

    assert caught.value.kind is TARGET_UNAVAILABLE


async def test_an_unknown_name(pool: PoolClient) -> None:
    """A name that DNS does not know is told from a provider that does not answer."""
    with pytest.raises(GatewayError) as caught:
        await ask(pool, "http://nowhere.invalid")

    assert caught.value.kind is TARGET_UNAVAILABLE
    assert "name" in caught.value.message


async def test_the_operating_system_gives_up() -> None:
    """A connection that the kernel gives up on has timed out, whoever was the first to say so."""

    async def resolve(_host: str, _port: int) -> Sequence[AddrInfoType]:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await dial(Dialer(Trust(TlsOptions()), resolve), Origin("x.test", 80))


async def test_no_way_to_the_network() -> None:
    """Whatever else the operating system reports is an unavailable provider."""

    async def resolve(_host: str, _port: int) -> Sequence[AddrInfoType]:
        raise OSError(errno.ENETUNREACH, "no route")

    with pytest.raises(GatewayError) as caught:
        await dial(Dialer(Trust(TlsOptions()), resolve), Origin("x.test", 80))

    assert caught.value.kind is TARGET_UNAVAILABLE


async def test_a_handshake_that_hangs(pool: PoolClient) -> None:
    """The time to connect includes everything before the request."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(GatewayError) as caught:
            await ask(pool, f"https://127.0.0.1:{silent.getsockname()[1]}", connect_s=0.02)

    assert caught.value.kind is TIMEOUT_CONNECT


async def test_a_connection_that_does_not_survive_its_opening() -> None:
    """A connection that is closed by the time it could be used is none."""

    class Closing(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.drop()

    async with serving(greet) as port:
        with pytest.raises(GatewayError) as caught:
            await dialer((socket.AF_INET, "127.0.0.1")).dial(
                Origin("localhost", port), lambda: Closing(Nobody(), PoolOptions())
            )

    assert caught.value.kind is TARGET_UNAVAILABLE


async def test_a_connection_closed_before_its_first_request(pool: PoolClient) -> None:
    """A provider that accepts and closes has failed; nobody waits for its answer."""

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(close) as port:
        with pytest.raises(GatewayError) as caught:
            await ask(pool, f"http://127.0.0.1:{port}")

    assert caught.value.kind is TARGET_UNAVAILABLE
