"""Opens connections: names, addresses, sockets, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import aiohappyeyeballs

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.pool.connection import Connection
from app.providers.pool.origin import Origin
from app.providers.pool.tls import Trust

_HEAD_START_S: Final = 0.25  # of one address before the next is tried in parallel (RFC 8305, section 8)


Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[aiohappyeyeballs.AddrInfoType]]]


async def resolve(host: str, port: int) -> Sequence[aiohappyeyeballs.AddrInfoType]:
    """Return the addresses of `host` as the operating system knows them."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Dialer:
    """Opens connections; those to `https` origins with the current TLS context."""

    def __init__(self, trust: Trust, resolve: Resolve = resolve) -> None:
        self._trust = trust
        self._resolve = resolve

    async def dial(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        """
        Return an open connection, its TLS handshake done.

        Raises:
            TimeoutError: The operating system gave up waiting.

            GatewayError: TARGET_UNAVAILABLE, saying which step failed.
        """
        try:
            connection = await self._open(origin, make)
        except TimeoutError:
            raise
        except (OSError, UnicodeError) as error:
            raise GatewayError(TARGET_UNAVAILABLE, _reason(error)) from error
        if connection.closed:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider closed the connection as soon as it was open.")
        return connection

    async def _open(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.socket_path is not None:
            _, connection = await loop.create_unix_connection(make, origin.socket_path)
            return connection
        found = await self._resolve(origin.host, origin.port)
        reached = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_HEAD_START_S, interleave=1)
        context, name = (self._trust.context, origin.host) if origin.secure else (None, None)
        _, connection = await loop.create_connection(make, sock=reached, ssl=context, server_hostname=name)
        # Where a connection ends in the very moment of its opening, uvloop closes the descriptor and forgets to tell
        # the socket, which would close it a second time when it is collected: by then it may be somebody else's.
        connection.lost.add_done_callback(lambda _lost: reached.detach())
        return connection


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The provider's TLS certificate is not accepted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return f"The TLS handshake with the provider failed ({error.reason})."
    if isinstance(error, socket.gaierror | UnicodeError):
        return "The provider's host name is unknown."
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "The connection to the provider was refused: nobody listens there."
    if isinstance(error, ConnectionError):
        return "The provider broke the connection off while it was being opened."
    return "The provider cannot be reached."
