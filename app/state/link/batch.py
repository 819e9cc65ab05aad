"""
Sends commands to Redis in pipelines: all commands of the same tick of the event loop form one.

A command that *rides* is sent with the next pipeline, but causes none.

While one pipeline is in flight the next one collects commands, so a busy gateway needs one connection and few packets.
Each pipeline has the same short timeout, and no more commands than fit into it. If it fails, its commands are lost, and
so are those queued behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import NoScriptError, RedisError

from app.core.time_limit import FairLimit
from app.state.link import Command, StateLostError
from app.state.link.pipelines import Client, pipeline_to
from app.state.scripts import Script

# The errors of redis-py when Redis cannot be used; ValueError for bytes that are no answer of a Redis.
LOSSES: Final = (RedisError, OSError, ValueError)
TOGETHER_MAX = 250  # commands in one pipeline; they take a few milliseconds here and in Redis
WAITING_MAX = 10_000  # commands queued behind a slow pipeline; a few megabytes


class Batch:
    """
    A queue of commands and the task that sends them.

    Args:
        client: Belongs to the caller, who closes it.

        timeout_s: Limit for one pipeline, including a reconnect but not a stall of this process.

        lost: Called with the error when a pipeline fails.
    """

    def __init__(self, client: Client, timeout_s: float, lost: Callable[[Exception], None]) -> None:
        self._pipeline = pipeline_to(client)
        self._timeout_s = timeout_s
        self._lost = lost
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._riding: dict[asyncio.Future[Any], Command] = {}
        self._sending: asyncio.Task[None] | None = None

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """Queue a command; return the future of its answer, or of a `StateLostError`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if len(self._waiting) >= WAITING_MAX:
            answer.set_exception(StateLostError("too many commands wait"))
            return answer
        self._waiting.append((command, answer))
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send_all())
        return answer

    def ride(self, command: Command) -> asyncio.Future[Any]:
        """Queue a command that is sent with the next one; return the future of its answer."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._riding[answer] = command
        return answer

    def alight(self, answer: asyncio.Future[Any]) -> bool:
        """Cancel a riding command; return False if it was sent."""
        return self._riding.pop(answer, None) is not None

    async def load(self, scripts: Sequence[Script]) -> None:
        """
        Load scripts into Redis.

        Raises:
            RedisError: Or another of `LOSSES`.
        """
        await self._pipeline.load([script.text for script in scripts])

    async def aclose(self) -> None:
        """Drop the queue."""
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending
        self._fail(StateLostError("closed"))

    async def _send_all(self) -> None:
        while self._waiting:
            sent, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
            sent += [(command, answer) for answer, command in self._riding.items()]
            self._riding.clear()
            try:
                with FairLimit(within_s=self._timeout_s):
                    answers = await self._execute([command for command, _ in sent])
            except (*LOSSES, TimeoutError) as error:
                self._waiting = sent + self._waiting
                self._fail(error)
                self._lost(error)
                return
            except asyncio.CancelledError:
                self._waiting = sent + self._waiting
                raise
            self._deliver([answer for _, answer in sent], answers)

    async def _execute(self, commands: list[Command]) -> list[Any]:
        answers = await self._pipeline.execute([command.words for command in commands])
        forgotten = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if forgotten:
            again = [commands[n] for n in forgotten]
            await self.load(list({command.script for command in again if command.script is not None}))
            repeated = await self._pipeline.execute([command.words for command in again])
            for n, answer in zip(forgotten, repeated, strict=True):
                answers[n] = answer
        return answers

    def _deliver(self, waiting: list[asyncio.Future[Any]], answers: list[Any]) -> None:
        refusals = [answer for answer in answers if isinstance(answer, Exception)]
        for future, answer in zip(waiting, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(_lost_by(answer))
            else:
                future.set_result(answer)
        if refusals:  # read-only, out of memory, still loading: treated as lost
            self._lost(refusals[0])

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for _, answer in waiting:
            if not answer.done():
                answer.set_exception(_lost_by(error))


def _lost_by(error: Exception) -> StateLostError:
    lost = StateLostError(type(error).__name__)
    lost.__cause__ = error
    return lost
