"""
The link to Redis. It knows whether Redis is in reach, so that no call has to wait to find out.

The link is up or down. While it is down calls send nothing, and each feature decides on its own, by its policy. A task
reconnects, at once after a loss and then with growing pauses, and checks twice a second whether Redis accepts writes;
only that task ever waits for a connection.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec
from redis.exceptions import RedisError

from app.core.background import BackgroundWork
from app.core.ports import Chance
from app.core.signals import Listener, StateDegraded
from app.core.time_limit import FairLimit
from app.state.link import Command, Follower, StateLostError, Submit, unheeded
from app.state.link.batch import LOSSES, Batch
from app.state.link.connecting import connect, disconnect
from app.state.scripts import every

OPERATE_S = 2.0  # limit for an operator's command, so that a busy machine is not reported as a lost Redis
BEAT_S = 0.5  # changes of other replicas take effect here within this time: a revoked key within a second
_NONSENSE = (TypeError, IndexError, KeyError)  # raised by followers that got an answer of the wrong shape
PAUSE_S, PAUSE_MAX_S = 0.1, 5.0  # between attempts to reconnect; short, as a refused connection costs nothing


class LinkOptions(msgspec.Struct, frozen=True):
    """
    Limits: `timeout_s` for a pipeline of decisions, `connect_s` for a connection.

    `beat_s` is the pause between two checks of Redis; every key begins with `key_prefix`.
    """

    timeout_s: float
    connect_s: float
    beat_s: float = BEAT_S
    key_prefix: str = "wizard"


class RedisLink(BackgroundWork):
    """
    The `Link` itself, to the Redis at `url` (`connecting.py`).

    Entering tries once to connect, for `connect_s` at most, and succeeds even if that fails.
    """

    def __init__(self, url: str, options: LinkOptions, chance: Chance, listener: Listener) -> None:
        self.up = False
        self.key_prefix = options.key_prefix
        self._trial = Command(("SET", f"{options.key_prefix}:beat", 1, "PX", 60_000))
        self._client = connect(url, options.connect_s)
        self._options = options
        self._chance = chance
        self._listener = listener
        self._batch = Batch(self._client, options.timeout_s, self._lose)
        self.submit: Submit = self._batch.submit
        self.ride = self._batch.ride
        self.alight = self._batch.alight
        self._operators = Batch(self._client, OPERATE_S, lambda _error: None)
        self.operate: Submit = self._operators.submit
        self._followers: list[Follower] = []
        self._scripts = every()
        self._told_degraded = False
        self._wake = asyncio.Event()
        self._closing = False

    def follow(self, follower: Follower) -> None:
        """Register a follower; before the link is entered."""
        self._followers.append(follower)

    async def ask(self, answer: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - as redis-py returns it
        """Wait for an answer, however long the pipelines before it take."""
        unheeded(answer)  # the loss may come when nobody waits any more
        try:
            with FairLimit(within_s=self._options.timeout_s):
                return await asyncio.shield(answer)
        except TimeoutError as error:
            raise StateLostError("timeout") from error

    async def decide(self, command: Command) -> Any:  # noqa: ANN401 - likewise
        """Send a command and wait, as `ask` does."""
        if not self.up:
            raise StateLostError("down")
        return await self.ask(self.submit(command))

    async def __aenter__(self) -> Self:
        """Connect if possible, and start the task that keeps the link up."""
        await self._look()
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and close the client."""
        self._closing = True
        await super().__aexit__(kind, error, trace)

    async def _finish(self) -> None:
        self.up = False
        await self._batch.aclose()
        await self._operators.aclose()
        with suppress(RedisError, OSError):
            await disconnect(self._client)

    async def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._closing:  # before Python 3.12 a cancellation may be lost in redis-py, by `asyncio.wait_for`
            if self.up:
                pause_s, wait_s = PAUSE_S, self._options.beat_s
            else:
                wait_s = pause_s * (1.0 - self._chance() / 4)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            self._wake.clear()
            await self._look()

    async def _look(self) -> None:
        """Connect if necessary, and let the followers catch up."""
        try:
            if not self.up:
                async with asyncio.timeout(self._options.connect_s):
                    await self._client.ping()
                    await self._batch.load(self._scripts)
            await self.submit(self._trial)  # a Redis that accepts no writes is not healthy
            for follower in self._followers:
                await follower.beat()
        except (*LOSSES, *_NONSENSE, TimeoutError, StateLostError) as error:
            self._lose(error)
        else:
            self._regain()

    def _lose(self, error: Exception) -> None:
        if self.up:
            self._wake.set()  # short interruptions end with the first attempt
        self.up = False
        cause = error.__cause__ if isinstance(error, StateLostError) and error.__cause__ is not None else error
        if not self._told_degraded:
            self._told_degraded = True
            for follower in self._followers:
                follower.lost()
            self._listener(StateDegraded(degraded=True, reason=type(cause).__name__))

    def _regain(self) -> None:
        self.up = True
        if self._told_degraded:
            self._told_degraded = False
            self._listener(StateDegraded(degraded=False, reason=""))
