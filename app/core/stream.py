"""
The life cycle of a streamed answer: held until it commits, observed while it is forwarded, settled once at its end.

A stage attaches to a stream in three ways: a finisher (receives the outcome), an observer (receives each batch; must
not wait or raise) or a transform (returns a replacement for each batch; must not wait). No stage wraps the source:
only `EventStream` owns the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol, Self, TypeAlias

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, STREAM_BROKEN, GatewayError
from app.core.model import Delta, StreamEvent, Weight
from app.core.outcome import COMPLETED, Finisher, Outcome, conclude
from app.core.usage import Usage

EVENTS: Final = "text/event-stream; charset=utf-8"
Batch: TypeAlias = Sequence[StreamEvent]  # the events of one upstream read, forwarded in one write
Observer: TypeAlias = Callable[[Batch], None]
Transform: TypeAlias = Callable[[Batch], Batch]  # may hold events back, but not beyond the one that finishes the answer


class Source(Protocol):
    """Where the batches of a stream come from; an asynchronous generator is one."""

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Return itself."""

    def __anext__(self) -> Awaitable[Batch]:
        """Wait for the next batch."""

    def aclose(self) -> Awaitable[None]:
        """Stop reading."""


class CommitRule(msgspec.Struct, frozen=True):
    """
    When a stream may be shown to the client, after which nothing is replayed.

    It commits once an event of at least this weight arrives, or more than `held_max_bytes` are held back.
    """

    weight: Weight
    held_max_bytes: int


class EventStream:
    """
    The events of one upstream answer, in batches. Can be iterated once; owns the connection.

    Args:
        source: Batches as they are read; raises `GatewayError` when the upstream fails.

        release: Returns the connection; called exactly once in every case. Returns None if it did not have to wait.

        media_type: The content type of the frames; `EVENTS` unless they are not events, such as audio.
    """

    __slots__ = ("_finishers", "_held", "_release", "_settled", "_source", "_steps", "media_type")

    def __init__(self, source: Source, release: Callable[[], Awaitable[None] | None], media_type: str = EVENTS) -> None:
        self.media_type = media_type
        self._source = source
        self._release = release
        self._held: list[Batch] = []
        self._steps: list[Observer | Transform] = []
        self._finishers: list[Finisher] = []
        self._settled = False

    async def prime(self, rule: CommitRule) -> None:
        """
        Read up to the first committing event; an earlier failure raises here, where it can still be retried.

        Raises:
            GatewayError: The upstream failed or ended before that event.
        """
        try:
            await self._hold(rule)
        except BaseException:
            self._settled = True
            if (pending := conclude(self._give_back, COMPLETED)) is not None:
                await pending
            raise

    @property
    def held_usage(self) -> Usage | None:
        """Return the last usage the provider reported in the held events, None without one."""
        reported = [event.chunk.usage for batch in self._held for event in batch if event.chunk is not None]
        return next((usage for usage in reversed(reported) if usage is not None), None)

    def observe(self, observer: Observer) -> None:
        """Pass every outgoing batch to `observer`, as transformed by the steps registered before."""
        self._steps.append(observer)

    def transform(self, step: Transform) -> None:
        """
        Replace every batch by the result of `step`; inner stages run first, a raised `GatewayError` ends the stream.

        The provider's native frames are then dropped, because they may contain what `step` removed.
        """
        self._steps.append(lambda batch: [without_native(event) for event in step(batch)])

    def when_done(self, finisher: Finisher) -> None:
        """Call `finisher` once with the outcome of the stream; finishers run in the order of registration."""
        self._finishers.append(finisher)

    def __aiter__(self) -> Self:
        """Return the stream itself; a second iteration continues where the first stopped."""
        return self

    async def __anext__(self) -> Batch:
        """Return the next batch that is not empty."""
        if self._settled:
            raise StopAsyncIteration
        try:
            while True:
                batch = self._held.pop(0) if self._held else await anext(self._source)
                for step in self._steps:
                    replacement = step(batch)
                    batch = batch if replacement is None else replacement
                if batch:
                    return batch
                del batch  # do not keep it alive while waiting for the next
        except StopAsyncIteration:
            await self._settle(None)
            raise
        except GatewayError as error:
            failure = after_commit(error)
            await self._settle(failure)
            if failure is error:
                raise
            raise failure from error
        except BaseException as error:
            await self._settle(error)
            raise

    async def aclose(self, failure: GatewayError | None = None) -> None:
        """
        End the stream early, even if reading has not begun; does nothing once it has ended.

        Without a `failure`, the outcome is that the client has left.
        """
        await self._settle(failure or asyncio.CancelledError())

    async def _hold(self, rule: CommitRule) -> None:
        weight, held_bytes = rule.weight, 0
        async for batch in self._source:
            self._held.append(batch)
            for event in batch:
                held_bytes += len(event.frame)
                if event.weight >= weight or held_bytes > rule.held_max_bytes:
                    return
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider ended its stream before it said anything.")

    async def _settle(self, failure: BaseException | None) -> None:
        """Close the source, return the connection and run the finishers, even if this task is cancelled meanwhile."""
        if self._settled:
            return
        self._settled = True
        outcome, cancelled = Outcome.of(failure), None
        steps: list[Finisher] = [self._give_back, *self._finishers]
        if failure is not None:
            steps.insert(0, self._close_source)  # an exhausted source has closed itself
        for step in steps:
            pending = conclude(step, outcome)
            if pending is not None:
                try:
                    await pending
                except asyncio.CancelledError as error:
                    cancelled = error
        if cancelled is not None:
            raise cancelled

    def _close_source(self, _outcome: Outcome) -> Awaitable[None]:
        return self._source.aclose()

    def _give_back(self, _outcome: Outcome) -> Awaitable[None] | None:
        return self._release()


def without_native(event: StreamEvent) -> StreamEvent:
    """Return the event without its native frame, which may no longer match its changed content."""
    return event if event.native is None else msgspec.structs.replace(event, native=None)


def after_commit(error: GatewayError) -> GatewayError:
    """Return STREAM_BROKEN for network and parse failures after the commit; other errors are returned as they are."""
    if error.kind.category not in {"network", "parse"}:
        return error
    broken = GatewayError(STREAM_BROKEN, error.message)
    broken.provider, broken.from_upstream = error.provider, error.from_upstream
    return broken


def weight_of(delta: Delta) -> Weight:
    """Return the weight of one delta of a choice."""
    if delta.content or delta.tool_calls or delta.refusal or delta.function_call:
        return Weight.ANSWER
    return Weight.THOUGHT if delta.reasoning_content or delta.reasoning else Weight.NOTHING
