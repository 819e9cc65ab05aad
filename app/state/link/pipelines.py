"""
Runs several Redis commands as one pipeline.

redis-py opens the connections, because it handles addresses, passwords, TLS, Sentinels and clusters. Its own pipelines
are pure Python: 1,300 bytecode instructions per command and 2,300 per pipeline, of which every call sends three. For a
single Redis this module therefore writes and reads on redis-py's connection, and hiredis packs and parses the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

from hiredis import Reader, pack_command
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ReadOnlyError

from app.state.link import Argument

Words: TypeAlias = tuple[Argument, ...]
Client: TypeAlias = "Redis | RedisCluster"

_READ_BYTES: Final = 65_536
_NOT_YET: Final = object()


class Pipeline(Protocol):
    """Runs pipelines."""

    async def execute(self, commands: Sequence[Words]) -> list[Any]:
        """
        Send commands and return their answers; the answer of a refused command is an exception.

        Raises:
            RedisError: Redis is out of reach, or the answer is invalid. Also `OSError`, and `ValueError`.
        """

    async def load(self, texts: Sequence[str]) -> None:
        """
        Load scripts into every Redis.

        Raises:
            RedisError: Or another, as above.
        """


def pipeline_to(client: Client) -> Pipeline:
    """Return the pipelines of a client, which belongs to the caller, who closes it."""
    return _ToCluster(client) if isinstance(client, RedisCluster) else _ToOne(client)


class _ToCluster:
    """To the nodes of a cluster, to which redis-py distributes the commands."""

    def __init__(self, client: RedisCluster) -> None:
        self._client = client

    async def execute(self, commands: Sequence[Words]) -> list[Any]:
        pipeline: Any = self._client.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*words)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def load(self, texts: Sequence[str]) -> None:
        for text in texts:  # to each node, which redis-py's pipelines cannot do
            await self._client.script_load(text)


class _ToOne:
    """To one Redis, over a kept connection; it is closed whenever the next bytes on it would be uncertain."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._wire: _Wire | None = None

    async def execute(self, commands: Sequence[Words]) -> list[Any]:
        wire = self._wire
        if wire is not None and wire.ended:
            await self._let_go(wire)
            wire = None
        if wire is None:
            wire = self._wire = _Wire(await self._pool.get_connection())  # type: ignore[no-untyped-call] # redis-py's omission
        try:
            answers = await wire.exchange(commands)
        except BaseException:
            await self._let_go(wire)
            raise
        if any(type(answer) is ReadOnlyError for answer in answers):  # no longer the master: ask the Sentinels again
            await self._let_go(wire)
        return answers

    async def load(self, texts: Sequence[str]) -> None:
        for answer in await self.execute([("SCRIPT", "LOAD", text) for text in texts]):
            if isinstance(answer, Exception):
                raise answer

    async def _let_go(self, wire: _Wire) -> None:
        self._wire = None
        try:
            await wire.connection.disconnect(nowait=True)
        finally:  # the pool has few connections, and loses one that is not returned
            await self._pool.release(wire.connection)


class _Wire:
    """The internals of a redis-py connection: its streams, and its exceptions for Redis's errors."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        source, sink, parser = connection._reader, connection._writer, connection._parser  # noqa: SLF001 - see above
        if source is None or sink is None:
            raise RedisConnectionError("The connection to Redis is not open.")
        self._source, self._sink = source, sink
        self._answers = Reader(protocolError=InvalidResponse, replyError=parser.parse_error, notEnoughData=_NOT_YET)

    @property
    def ended(self) -> bool:
        """Return whether Redis has closed the connection, or sent unexpected bytes."""
        return self._source.at_eof() or self._answers.has_data()

    async def exchange(self, commands: Sequence[Words]) -> list[Any]:
        """Send commands and return their answers."""
        packed = [pack_command(words) for words in commands]  # type: ignore[arg-type] # its stub says tuples of one
        self._sink.write(b"".join(packed))
        answers: list[Any] = []
        while len(answers) < len(commands):
            data = await self._source.read(_READ_BYTES)
            if not data:
                raise RedisConnectionError("Redis closed the connection.")
            self._answers.feed(data)
            while (answer := self._answers.gets()) is not _NOT_YET:
                answers.append(answer)
        if len(answers) > len(commands):
            raise InvalidResponse("Redis answered more than it was asked.")
        return answers
