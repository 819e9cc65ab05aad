"""Outcomes of replies, and the finishers that run at their end, even if the call is being cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, TypeAlias

import msgspec

from app.core.time_limit import TimeLimit

FINISHER_LIMIT_S = 1.0  # long enough for one write to shared state, short enough to never hold a connection


class End(Enum):
    """How a reply can end; `word` is the value in signals (an attribute, which is faster to read than `value`)."""

    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"

    def __init__(self, word: str) -> None:
        self.word = word


class Outcome(msgspec.Struct, frozen=True):
    """How a reply ended; known once its last byte is sent."""

    end: End
    error: BaseException | None = None

    @classmethod
    def of(cls, error: BaseException | None) -> Outcome:
        """Classify an ending: cancellation means that the client disconnected, which is nobody's failure."""
        cancelled = isinstance(error, (asyncio.CancelledError, GeneratorExit))
        return COMPLETED if error is None else cls(End.ABANDONED if cancelled else End.FAILED, error)


COMPLETED: Final = Outcome(End.COMPLETED)
Finisher: TypeAlias = Callable[[Outcome], Awaitable[None] | None]


def conclude(finisher: Finisher, outcome: Outcome) -> Awaitable[None] | None:
    """
    Run one finisher; return an awaitable for its end, None if there is nothing to await.

    An asynchronous finisher (one that writes shared state) is completed even if the call's task is cancelled: it runs
    in its own shielded task, for at most `FINISHER_LIMIT_S`. Its failure is reported to the event loop's exception
    handler and does not stop the next finisher.
    """
    try:
        pending = finisher(outcome)
    except Exception as error:  # noqa: BLE001 - one of the three broad handlers: a finisher must not stop the next one
        _report(error)
        return None
    return None if pending is None else _shielded(pending)


async def _shielded(pending: Awaitable[None]) -> None:
    task = asyncio.ensure_future(_bounded(pending))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await outlast(task)
        raise


async def _bounded(pending: Awaitable[None]) -> None:
    try:
        with TimeLimit(within_s=FINISHER_LIMIT_S):
            await pending
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above; what it awaited may be cancelled
        _report(error)


async def outlast(task: asyncio.Future[None]) -> None:
    """Wait for `task` even if this task is cancelled repeatedly; `task` must end by itself."""
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue


def _report(error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "a finisher failed", "exception": error})
