"""
Keeps the process of the built-in model alive for as long as the gateway runs, and never longer.

Whatever happens to that process, nothing is raised into the gateway and the loop never waits for it: calls that need
the model wait for themselves.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from app.core.clock import Clock
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.signals import Listener, LocalModelChanged

START_S = 60.0  # loading takes about a second; a minute leaves room for a cold disk and a busy machine
STOP_S = 2.0
PAUSE_MIN_S, PAUSE_MAX_S = 0.5, 30.0
HEALTHY_S = 60.0  # a life this long was no accident of the start
FAILED_STARTS_MAX = 8  # about a minute of trying; what has never worked by then is a matter of the machine


class Address(msgspec.Struct, frozen=True):
    """Where the model is served, and the key that the server asks for."""

    url: str
    key: str


class LocalModel:
    """
    The built-in model's process: started, watched, restarted, ended.

    After a death it is started again, after a pause that doubles from 0.5 s to 30 s and falls back once the process
    has lived for a minute. Only after eight starts in a row that never got to serving is it given up.

    The first line that `command` writes is an `Address` in JSON, and it ends with its standard input.
    """

    def __init__(self, command: Sequence[str], clock: Clock, listener: Listener) -> None:
        self._command = command
        self._clock = clock
        self._listener = listener
        self._address: Address | None = None
        self._settled = asyncio.Event()  # it serves, or it never will again
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to start the process; returns at once, and does nothing if that has begun already."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._supervise(), name="local-model")

    async def aclose(self) -> None:
        """End the process: ask it to, wait for two seconds, then kill it. Repeatable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def address(self, within_s: float) -> Address:
        """
        Return where the model is, waiting for a start under way for at most `within_s`.

        Raises:
            GatewayError: TARGET_UNAVAILABLE.
        """
        if self._address is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._settled.wait()
        if self._address is None:
            raise GatewayError(TARGET_UNAVAILABLE, "The local model is not running.")
        return self._address

    async def _supervise(self) -> None:
        failed_starts, pause_s = 0, PAUSE_MIN_S
        try:
            while True:
                begun = self._clock.now()
                served = await self._live()
                self._tell("died", "its process ended" if served else "its process did not start")
                failed_starts = 0 if served else failed_starts + 1
                if failed_starts == FAILED_STARTS_MAX:
                    break
                if self._clock.now() - begun >= HEALTHY_S:
                    pause_s = PAUSE_MIN_S
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            self._tell("given_up", "its process never started")
        finally:
            self._settled.set()

    async def _live(self) -> bool:
        """Run the process for one life and say whether it got to serving."""
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except OSError:
            return False
        try:
            self._address = await _greeting(process)
            if self._address is None:
                return False
            self._settled.set()
            self._tell("ready", "its model is loaded")
            await process.wait()
            return True
        finally:
            self._address = None
            self._settled.clear()
            await _end(process)

    def _tell(self, state: str, reason: str) -> None:
        self._listener(LocalModelChanged(state, reason))


async def _greeting(process: Process) -> Address | None:
    """Return what the process says first, or None if that is nothing, nonsense, or too late."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        async with asyncio.timeout(START_S):
            return msgspec.json.decode(await process.stdout.readline(), type=Address)
    except (TimeoutError, ValueError):
        return None


async def _end(process: Process) -> None:
    """Wait for the process, with ever less patience."""
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
