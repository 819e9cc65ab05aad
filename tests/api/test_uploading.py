"""Bodies that are handed on while they arrive."""

from __future__ import annotations

import asyncio

import pytest

from app.api.asgi import ClientGoneError, ClientWatch, Message
from app.api.uploading import Incoming
from app.core.bodies import whole
from app.core.errors import BODY_TOO_LARGE, CLIENT_CLOSED, GatewayError

LIMIT = 100


class Client:
    """A client whose messages are put one by one."""

    def __init__(self, *messages: Message) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.read = 0
        for message in messages:
            self.messages.put_nowait(message)

    async def receive(self) -> Message:
        """Return the next message."""
        message = await self.messages.get()
        self.read += 1
        return message


def part(body: bytes, *, last: bool = False) -> Message:
    """Return a piece of a body."""
    return {"type": "http.request", "body": body, "more_body": not last}


async def test_a_body_in_pieces() -> None:
    """Every piece is handed on, empty ones left out, up to the end."""
    client = Client(part(b"ab"), part(b""), part(b"cd"), part(b"", last=True))
    upload = Incoming(client.receive, None, LIMIT)

    with ClientWatch(upload.watched):
        before, body, after = upload.begun, await whole(b"", upload, LIMIT), await upload.next()

    assert (before, upload.begun, body, after) == (False, True, b"abcd", None)


async def test_one_piece_is_held_at_a_time() -> None:
    """A provider that takes nothing lets its caller wait."""
    client = Client(part(b"a"), part(b"b"), part(b"c", last=True))
    upload = Incoming(client.receive, None, LIMIT)

    with ClientWatch(upload.watched):
        for _ in range(10):
            await asyncio.sleep(0)
        held = client.read
        body = await whole(b"", upload, LIMIT)

    assert (held, body) == (1, b"abc")


async def test_a_client_that_leaves_in_the_middle() -> None:
    """Whoever waits for more is cancelled, as with any call."""
    client = Client(part(b"a"))
    upload = Incoming(client.receive, None, LIMIT)

    async def read() -> None:
        with ClientWatch(upload.watched):
            await upload.next()
            client.messages.put_nowait({"type": "http.disconnect"})
            await upload.next()

    with pytest.raises(ClientGoneError):
        await read()


async def test_a_client_that_leaves_after_its_last_word() -> None:
    """The end of the body is not the end of the watch."""
    client = Client(part(b"a", last=True), {"type": "http.disconnect"})
    upload = Incoming(client.receive, None, LIMIT)

    async def wait() -> None:
        with ClientWatch(upload.watched):
            await asyncio.Event().wait()

    with pytest.raises(ClientGoneError):
        await wait()


async def test_a_body_that_is_too_large() -> None:
    """It is refused as soon as it says so, or as it turns out to be."""
    client = Client(part(bytes(LIMIT)), part(b"x"))

    with pytest.raises(GatewayError) as told:
        Incoming(client.receive, LIMIT + 1, LIMIT)
    upload = Incoming(client.receive, None, LIMIT)
    with ClientWatch(upload.watched), pytest.raises(GatewayError) as found:
        await whole(b"", upload, 2 * LIMIT)

    assert told.value.kind is found.value.kind is BODY_TOO_LARGE


async def test_whole_has_a_bound_of_its_own() -> None:
    """Who must see all of a body takes only so much."""
    upload = Incoming(Client(part(b"abc", last=True)).receive, 3, LIMIT)

    with ClientWatch(upload.watched):
        assert await whole(b"", upload, 2) is None


async def test_half_a_body_is_none_even_if_nobody_is_cancelled() -> None:
    """Where calls go on without their clients, one whose body is missing its end does not wait for it."""
    client = Client(part(b"a"), {"type": "http.disconnect"})
    upload = Incoming(client.receive, None, LIMIT)
    watching = asyncio.ensure_future(upload.watched())

    first = await upload.next()
    with pytest.raises(GatewayError) as caught:
        await upload.next()
    await watching

    assert (first, caught.value.kind) == (b"a", CLIENT_CLOSED)
