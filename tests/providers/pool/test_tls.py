"""TLS: whom the pool trusts, what it says to be, and how a refusal sounds."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from app.core.errors import TARGET_MISCONFIGURED, TARGET_UNAVAILABLE, GatewayError, Kind
from app.providers.pool import PoolClient, PoolOptions, TlsOptions
from app.providers.pool.tls import Trust
from tests.providers.pool.talking import ask, greet, pool_with, serving

ON_BOTH_LOOPS = True


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority of our own."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the path of its certificate."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    """Return a server's TLS settings with a certificate for these names."""
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if expired else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, not_after=past).configure_cert(context)
    return context


async def failure_of(pool: PoolClient, port: int) -> tuple[Kind, str]:
    """Make a call that must fail and return the kind and the message."""
    with pytest.raises(GatewayError) as caught:
        await ask(pool, f"https://localhost:{port}")
    return caught.value.kind, caught.value.message


async def test_a_trusted_certificate(authority: trustme.CA, ca_file: str) -> None:
    """With the authority's file a server is trusted, and its connection is kept like any other."""
    async with (
        pool_with(PoolOptions(tls=TlsOptions(ca_file=ca_file))) as pool,
        serving(greet, context=server_context(authority, "localhost")) as port,
    ):
        answers = [await ask(pool, f"https://localhost:{port}") for _ in range(3)]

    assert answers == [b"hello"] * 3


async def test_names_the_host_and_the_protocol(authority: trustme.CA, ca_file: str) -> None:
    """The greeting says which host is meant (SNI) and that HTTP/1.1 will be spoken, in TLS 1.2 or later."""
    context = server_context(authority, "localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    greeted: list[tuple[ssl.SSLObject, str | None]] = []

    def keep(session: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        assert isinstance(session, ssl.SSLObject)
        greeted.append((session, name))

    context.sni_callback = keep
    async with pool_with(PoolOptions(tls=TlsOptions(ca_file=ca_file))) as pool, serving(greet, context=context) as port:
        await ask(pool, f"https://localhost:{port}")
        (session, name), *others = greeted
        protocols = (session.selected_alpn_protocol(), session.version())

    assert (name, others) == ("localhost", [])
    assert protocols in {("http/1.1", "TLSv1.3"), ("http/1.1", "TLSv1.2")}


async def test_an_old_protocol_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """A server that cannot do better than TLS 1.1 is not spoken to."""
    context = server_context(authority, "localhost")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with pool_with(PoolOptions(tls=TlsOptions(ca_file=ca_file))) as pool, serving(greet, context=context) as port:
        kind, _ = await failure_of(pool, port)

    assert kind is TARGET_UNAVAILABLE


@pytest.mark.parametrize(
    ("names", "expired", "said"),
    [(["other.test"], False, "mismatch"), (["localhost"], True, "expired")],
    ids=["another host", "expired"],
)
async def test_a_certificate_that_does_not_fit(
    authority: trustme.CA, ca_file: str, names: list[str], expired: bool, said: str
) -> None:
    """A certificate for another host or from another time is not accepted, and the message says why."""
    context = server_context(authority, *names, expired=expired)
    async with pool_with(PoolOptions(tls=TlsOptions(ca_file=ca_file))) as pool, serving(greet, context=context) as port:
        kind, message = await failure_of(pool, port)

    assert kind is TARGET_UNAVAILABLE
    assert said in message


async def test_an_unknown_authority(authority: trustme.CA, pool: PoolClient) -> None:
    """The system's store does not know our authority: without its file nothing is accepted."""
    async with serving(greet, context=server_context(authority, "localhost")) as port:
        kind, message = await failure_of(pool, port)

    assert kind is TARGET_UNAVAILABLE
    assert "certificate" in message


async def test_plain_http_behind_https(pool: PoolClient) -> None:
    """A server that speaks no TLS is told from one with a bad certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with serving(answer) as port:
        kind, message = await failure_of(pool, port)

    assert kind is TARGET_UNAVAILABLE
    assert "handshake" in message


async def test_a_client_certificate(authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    """A server that asks for a certificate gets the configured one."""
    pem = tmp_path / "client.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(pem))
    context = demanding(authority)
    tls = TlsOptions(ca_file=ca_file, certificate_file=str(pem))
    async with pool_with(PoolOptions(tls=tls)) as pool, serving(greet, context=context) as port:
        assert await ask(pool, f"https://localhost:{port}") == b"hello"


async def test_a_client_certificate_that_is_missing(authority: trustme.CA, ca_file: str) -> None:
    """A server that demands a certificate and gets none says so in its own words, after the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = asyncio.create_task(asyncio.to_thread(refuse, listener, demanding(authority)))
        async with pool_with(PoolOptions(tls=TlsOptions(ca_file=ca_file))) as pool:
            kind, message = await failure_of(pool, listener.getsockname()[1])
        await refusing

    assert kind is TARGET_UNAVAILABLE
    assert "CERTIFICATE_REQUIRED" in message


def demanding(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS settings of a server that wants to know its clients."""
    context = server_context(authority, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context


def refuse(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Accept one connection, fail its handshake as OpenSSL does, with an alert, and read what still comes."""
    connection, _ = listener.accept()
    session = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    with session:
        with contextlib.suppress(ssl.SSLError):
            session.do_handshake()
        raw = session.detach()
    with socket.socket(fileno=raw) as rest:
        rest.shutdown(socket.SHUT_WR)
        while rest.recv(65536):
            pass


def test_files_are_read_again_when_they_change(ca_file: str) -> None:
    """New connections trust whom the file says now; one that is gone, or being written, changes nothing."""
    trust, path = Trust(TlsOptions(ca_file=ca_file)), Path(ca_file)
    before = trust.context

    path.write_text("half of a cert")
    unfinished = trust.context
    path.unlink()
    gone = trust.context
    trustme.CA().cert_pem.write_to_path(ca_file)
    after = trust.context

    assert unfinished is gone is before
    assert after is not before
    assert after is trust.context


@pytest.mark.parametrize("broken", ["ca_file", "certificate_file"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_files_that_cannot_be_used(tmp_path: Path, broken: str, content: bytes | None) -> None:
    """Files that are missing or no certificates are found when the pool is made, not at the first call."""
    path = tmp_path / "broken.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(GatewayError) as caught:
        PoolClient(PoolOptions(tls=TlsOptions(**{broken: str(path)})))

    assert caught.value.kind is TARGET_MISCONFIGURED
