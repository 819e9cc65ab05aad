"""
A streamed answer and its life cycle: held back until it commits, observed while it is sent, settled once at its end.

A stage can attach three things to a stream: a finisher (gets the outcome), an observer (gets each batch; may count,
may not wait or raise) or a transform (replaces the events of a batch; may not wait). No stage wraps the source:
`EventStream` alone owns the connection.
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
Batch: TypeAlias = Sequence[StreamEvent]  # events from one read from the upstream; sent on with one write
Observer: TypeAlias = Callable[[Batch], None]
Transform: TypeAlias = Callable[[Batch], Batch]  # may delay events, but not beyond the one that finishes the answer


class Source(Protocol):
    """The batches of a stream; an asynchronous generator is a `Source`."""

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Return itself."""

    def __anext__(self) -> Awaitable[Batch]:
        """Wait for the next batch."""

    def aclose(self) -> Awaitable[None]:
        """Stop reading."""


class CommitRule(msgspec.Struct, frozen=True):
    """
    When a stream commits: from then on it is sent to the client and no longer retried.

    It commits with the first event of at least `weight`, or once more than `held_max_bytes` are held back.
    """

    weight: Weight
    held_max_bytes: int


class EventStream:
    """
    The events of one upstream answer, in batches. Can be read once; owns the connection.

    Args:
        source: Batches as they are read; raises `GatewayError` when the upstream fails.

        release: Releases the connection; called exactly once, whatever happens. Returns None if there is nothing to
            await.

        media_type: The content type of the frames; differs from `EVENTS` for other data, such as audio.
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
        Read up to the event that commits the stream, so that an earlier failure raises here and can be retried.

        Raises:
            GatewayError: The upstream failed, or ended, before the stream committed.
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
        """Return the last usage reported by the events that are held back, if any."""
        reported = [event.chunk.usage for batch in self._held for event in batch if event.chunk is not None]
        return next((usage for usage in reversed(reported) if usage is not None), None)

    def observe(self, observer: Observer) -> None:
        """Call `observer` with every batch, as changed by the transforms registered before it."""
        self._steps.append(observer)

    def transform(self, step: Transform) -> None:
        """
        Replace every batch by the result of `step`; inner stages run first, and a `GatewayError` of it ends the stream.

        The events lose their `native` frames, which might still contain what `step` removed.
        """
        self._steps.append(lambda batch: [without_native(event) for event in step(batch)])

    def when_done(self, finisher: Finisher) -> None:
        """Call `finisher` once with the outcome of the stream; finishers run in the order of registration."""
        self._finishers.append(finisher)

    def __aiter__(self) -> Self:
        """Return this stream; a second iteration continues where the first one stopped."""
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
                del batch  # free it before waiting for the next one
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
        End the stream early, whether or not reading has begun; do nothing if it has ended.

        Without a `failure` (to deliver the answer), the reason is that the client disconnected.
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
        """Close the source, release the connection and run all finishers, even if this task is cancelled meanwhile."""
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
    """Return the event without its `native` frame, which no longer matches an event that was changed."""
    return event if event.native is None else msgspec.structs.replace(event, native=None)


def after_commit(error: GatewayError) -> GatewayError:
    """Return STREAM_BROKEN for a network or parse error in the middle of an answer; return other errors unchanged."""
    if error.kind.category not in {"network", "parse"}:
        return error
    broken = GatewayError(STREAM_BROKEN, error.message)
    broken.provider, broken.from_upstream = error.provider, error.from_upstream
    return broken


def weight_of(delta: Delta) -> Weight:
    """Return the weight of a delta."""
    if delta.content or delta.tool_calls or delta.refusal or delta.function_call:
        return Weight.ANSWER
    return Weight.THOUGHT if delta.reasoning_content or delta.reasoning else Weight.NOTHING
