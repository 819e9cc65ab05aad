"""
Send a request whose body is read while it is sent, and return the reply.

The body is sent while the answer may already arrive. An error ends the sending; a successful answer waits for its end.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from app.core.bodies import Upload
from app.providers.pool.connection import Connection
from app.providers.pool.encode import Head
from app.providers.pool.reply import PoolReply


async def upload(connection: Connection, head: Head, held: bytes, rest: Upload) -> PoolReply:
    """
    Send `head`, what is `held` of the body and its `rest`, and return once the head of the answer is there.

    Raises:
        GatewayError: What reading the body raises, and what goes wrong with the connection.
    """
    reply = connection.begin(head, None if rest.length is None else len(held) + rest.length)
    sending = asyncio.ensure_future(_send(connection, held, rest))
    try:
        await asyncio.wait((sending, connection.answer), return_when=asyncio.FIRST_COMPLETED)
        if not connection.answer.done():
            sending.result()  # raises what the body raised
        await connection.answer
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            await sending
    except BaseException:
        await reply.aclose()
        raise
    finally:
        sending.cancel()
        await asyncio.wait((sending,))
        if not sending.cancelled():
            sending.exception()  # raised above, or less important than the answer that came
    return reply


async def _send(connection: Connection, held: bytes, rest: Upload) -> None:
    chunked = rest.length is None
    piece = held or await rest.next()
    while piece is not None:
        await connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        piece = await rest.next()
    if chunked:
        await connection.write(b"0\r\n\r\n")
    connection.written()
