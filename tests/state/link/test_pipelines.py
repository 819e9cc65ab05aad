"""What is sent to Redis at once comes back in order, or the connection ends: a wrong answer is worse than none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hiredis import pack_command
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Connection, Redis
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from app.state.link.pipelines import Pipeline, pipeline_to
from tests.support.redis_server import RedisServer

ASKED = [("GET", "one"), ("GET", "two")]
BOTH = b"$3\r\nuno\r\n$3\r\ndos\r\n"


class Scripted:
    """A server that answers to commands with bytes of ours; each connection takes the next of `scripts`."""

    def __init__(self, scripts: list[list[bytes]]) -> None:
        self.connections = 0
        self.served: list[asyncio.Future[None]] = []
        self._scripts = scripts

    async def serve(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Answer one connection, until it ends."""
        script = self._scripts[self.connections]
        self.connections += 1
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.served.append(over)
        with suppress(asyncio.IncompleteReadError):
            for pieces in script:
                await source.readuntil(b"two\r\n")
                for piece in pieces.split(b"|"):
                    sink.write(piece)
                    await asyncio.sleep(0.001)
            await source.readuntil(b"never")
        sink.close()
        await sink.wait_closed()
        over.set_result(None)


@asynccontextmanager
async def scripted(*scripts: list[bytes]) -> AsyncIterator[tuple[Pipeline, Scripted]]:
    """Run a scripted server and return the way to it."""
    server = Scripted(list(scripts))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    # Without a name of the library and a database, redis-py itself says nothing on a new connection.
    client = Redis(port=listening.sockets[0].getsockname()[1], protocol=2, driver_info=None)
    try:
        yield pipeline_to(client), server
    finally:
        await client.aclose()
        listening.close()
        await asyncio.gather(*server.served)


@asynccontextmanager
async def real(server: RedisServer) -> AsyncIterator[Pipeline]:
    """Return the way to a real server."""
    client = Redis(port=server.port, protocol=2)
    yield pipeline_to(client)
    await client.aclose()


async def test_answers_may_come_in_any_pieces() -> None:
    """However the network cuts them."""
    pieces = b"|".join(bytes([byte]) for byte in BOTH)
    async with scripted([BOTH, pieces]) as (pipeline, server):
        answers = [await pipeline.execute(ASKED) for _ in range(2)]

    assert [[b"uno", b"dos"]] * 2 == answers
    assert 1 == server.connections


@pytest.mark.parametrize("first", [b"$3\r\nuno\r\n", b"?nonsense\r\n", BOTH + b"$4\r\ntres\r\n", b"$3\r\nun"])
async def test_a_connection_in_doubt_ends(first: bytes) -> None:
    """Redis fell silent in the middle, or sent what is no answer, or one too many: the next commands get their own."""
    async with scripted([first], [BOTH]) as (pipeline, server):
        asking = asyncio.create_task(pipeline.execute(ASKED))
        await asyncio.wait([asking], timeout=0.05)
        asking.cancel()  # what waits for more than comes
        ended = (await asyncio.gather(asking, return_exceptions=True))[0]

        answers = await pipeline.execute(ASKED)

    assert isinstance(ended, RedisError | asyncio.CancelledError)
    assert [b"uno", b"dos"] == answers
    assert 2 == server.connections


async def test_what_nobody_asked_for_is_nobodys_answer() -> None:
    """It came after the last answer, and would be taken for the next one's."""
    async with scripted([BOTH + b"$4\r\ntr"], [BOTH]) as (pipeline, server):
        await pipeline.execute(ASKED)

        answers = await pipeline.execute(ASKED)

    assert [b"uno", b"dos"] == answers
    assert 2 == server.connections


async def test_a_connection_that_was_closed_is_opened_again(server: RedisServer) -> None:
    """Between two pipelines nobody notices."""
    async with real(server) as pipeline:
        await pipeline.execute([("SET", "one", "uno")])
        server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.05)

        answers = await pipeline.execute([("GET", "one")])

    assert [b"uno"] == answers


async def test_a_server_that_dies_is_told_of(server: RedisServer) -> None:
    """Whoever waits for an answer waits no longer."""
    async with real(server) as pipeline:
        waiting = asyncio.create_task(pipeline.execute([("BLPOP", "nothing", 0)]))
        await asyncio.sleep(0.05)
        server.kill()

        with pytest.raises(RedisError):
            await waiting


async def test_a_refusal_is_the_answer_of_its_command_alone(server: RedisServer) -> None:
    """Those beside it are answered, with the exceptions that redis-py has for what Redis says."""
    async with real(server) as pipeline:
        answers = await pipeline.execute([("SET", "one", "uno"), ("INCR", "one"), ("GET", "one")])
        with pytest.raises(ResponseError):
            await pipeline.load(["this is no Lua"])

    assert [b"OK", ResponseError, b"uno"] == [each if isinstance(each, bytes) else type(each) for each in answers]


async def test_a_replica_is_left(server: RedisServer) -> None:
    """What takes no writes may have been a master until now: the next commands go to whoever is one then."""
    async with real(server) as pipeline:
        (named,) = await pipeline.execute([("CLIENT", "ID")])
        server.do("REPLICAOF", "127.0.0.1", "1")
        (refused,) = await pipeline.execute([("SET", "one", "uno")])
        server.do("REPLICAOF", "NO", "ONE")

        (renamed,) = await pipeline.execute([("CLIENT", "ID")])

    assert ReadOnlyError is type(refused)
    assert named != renamed


WORDS = st.one_of(
    st.text(st.characters(codec="utf-8")), st.binary(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)


@given(st.lists(WORDS))
def test_words_arrive_as_redis_py_would_write_them(words: list[Any]) -> None:
    """Texts as UTF-8, numbers in decimal."""
    theirs: Any = Connection().pack_command

    written = b"".join(theirs("ECHO", *words))

    assert written == pack_command(("ECHO", *words))
