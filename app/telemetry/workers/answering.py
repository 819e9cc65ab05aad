"""Answers the questions of other workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Self, TypeAlias

import msgspec

from app.telemetry.workers.directory import Place
from app.telemetry.workers.wire import Question, framed, read_frame

Topic: TypeAlias = Callable[[bytes], AsyncGenerator[bytes, None]]  # question -> answer, frame by frame


class Answering:
    """
    Answers the other workers while this context is open.

    Args:
        place: Where to listen.

        topics: The topics that can be asked about, by name. Long answers have backpressure: a topic is read no faster
            than the other side reads.
    """

    def __init__(self, place: Place, topics: Mapping[str, Topic]) -> None:
        self._place = place
        self._topics = dict(topics)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """
        Start to listen.

        Raises:
            OSError: The socket cannot be made.
        """
        self._server = await asyncio.start_unix_server(self._accept, self._place.socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the socket, and cancel open answers."""
        self._place.socket.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, msgspec.DecodeError, asyncio.CancelledError):  # either side is leaving
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frame = await read_frame(reader)
        if frame is None:
            return
        question = msgspec.msgpack.decode(frame, type=Question)
        topic = self._topics.get(question.topic)
        if topic is None:
            return
        watch = asyncio.ensure_future(_until_gone(reader, asyncio.current_task()))
        try:
            async with aclosing(topic(question.about)) as answer:
                async for content in answer:
                    writer.write(framed(content))
                    await writer.drain()
        finally:
            watch.cancel()


async def _until_gone(reader: asyncio.StreamReader, serving: asyncio.Task[object] | None) -> None:
    """Cancel the serving task when the other side hangs up: a topic may be silent for hours, and would not notice."""
    with suppress(OSError):
        await reader.read(1)
    if serving is not None:
        serving.cancel()
