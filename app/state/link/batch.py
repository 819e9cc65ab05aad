"""
Sends commands to Redis: those that are asked for in the same tick of the loop leave as one pipeline.

What rides is asked for early: it leaves with the next pipeline, but none is sent for its sake.

While one pipeline is under way the next one gathers, so a busy gateway needs one connection and few packets. Each has
the same short time, and no more commands than that is enough for; what it does not answer in time is lost, and so is
whatever waited behind it.
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

# How redis-py tells that Redis cannot be used: ValueError where it reads bytes that are no answer of a Redis at all.
LOSSES: Final = (RedisError, OSError, ValueError)
TOGETHER_MAX = 250  # commands in one pipeline: what is done in a few milliseconds, here and in Redis
WAITING_MAX = 10_000  # commands that may gather behind a slow pipeline, a few megabytes


class Batch:
    """
    A queue of commands and the task that sends them.

    Args:
        client: Belongs to the caller, and so does its closing.

        timeout_s: What one pipeline may take, a reconnect included, a stall of this process not.

        lost: Told of the error when a pipeline failed.
    """

    def __init__(self, client: Client, timeout_s: float, lost: Callable[[Exception], None]) -> None:
        self._pipeline = pipeline_to(client)
        self._timeout_s = timeout_s
        self._lost = lost
        self._waiting: list[tuple[Command, asyncio.Future[Any]]] = []
        self._riding: dict[asyncio.Future[Any], Command] = {}
        self._sending: asyncio.Task[None] | None = None

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """Return what will hold the answer of Redis, or `StateLostError`."""
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
        """Return what will hold the answer once something else was sent."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._riding[answer] = command
        return answer

    def alight(self, answer: asyncio.Future[Any]) -> bool:
        """Do not send what rides; False if it has left."""
        return self._riding.pop(answer, None) is not None

    async def load(self, scripts: Sequence[Script]) -> None:
        """
        Give Redis the texts of scripts.

        Raises:
            RedisError: Or another of `LOSSES`.
        """
        await self._pipeline.load([script.text for script in scripts])

    async def aclose(self) -> None:
        """Drop what has not been sent."""
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
        if refusals:  # no writes, no memory, still loading: as good as gone
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
