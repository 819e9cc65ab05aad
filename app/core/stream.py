"""
A streamed answer and its life: held until it commits, observed while it passes, settled once at its end.

A stage touches a stream in three ways: with a finisher (told how it ended), an observer (shown each batch; may
count, may not wait or raise) or a transform (gives other events in their place; may not wait). No stage wraps the
source: one reading is the only place that owns the connection.
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
Batch: TypeAlias = Sequence[StreamEvent]  # what one read from the upstream brought; sent on with one write
Observer: TypeAlias = Callable[[Batch], None]
Transform: TypeAlias = Callable[[Batch], Batch]  # may hold events back, but not beyond the one that finishes the answer


class Source(Protocol):
    """Where the batches of a stream come from; an asynchronous generator is one."""

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Return itself."""

    def __anext__(self) -> Awaitable[Batch]:
        """Wait for the next one."""

    def aclose(self) -> Awaitable[None]:
        """Give up reading."""


class CommitRule(msgspec.Struct, frozen=True):
    """
    When a stream may be shown to the client, after which nothing is replayed.

    That is once an event of at least this weight has come, or more than `held_max_bytes` were held back.
    """

    weight: Weight
    held_max_bytes: int


class EventStream:
    """
    The events of one upstream answer, in batches. For one reading; owns the connection.

    Args:
        source: Batches as they are read; raises `GatewayError` when the upstream fails.

        release: Gives the connection back; called exactly once, whatever happens. Returns None if that took no
            waiting.

        media_type: What the frames are; `EVENTS` unless they are something else than events, such as sound.
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
        Read up to the first committing event, so that an early failure raises here and can be tried again.

        Raises:
            GatewayError: The upstream failed, or ended, before it said anything.
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
        """Return what the provider says was used, as far as it said so before the stream commits."""
        told = [event.chunk.usage for batch in self._held for event in batch if event.chunk is not None]
        return next((usage for usage in reversed(told) if usage is not None), None)

    def observe(self, observer: Observer) -> None:
        """Show `observer` every batch that goes out, as the transforms registered before made it."""
        self._steps.append(observer)

    def transform(self, step: Transform) -> None:
        """
        Let `step` replace every batch; inner stages come first, and what it raises (`GatewayError`) ends the stream.

        No event of the stream is then forwarded in its provider's own words, which may say what `step` took out.
        """
        self._steps.append(lambda batch: [without_native(event) for event in step(batch)])

    def when_done(self, finisher: Finisher) -> None:
        """Tell `finisher` once how the stream ended; the first registered is the first told."""
        self._finishers.append(finisher)

    def __aiter__(self) -> Self:
        """Return the one reading of this stream; asked again, it goes on where it stopped."""
        return self

    async def __anext__(self) -> Batch:
        """Return what comes next; see `Batch`."""
        if self._settled:
            raise StopAsyncIteration
        try:
            while True:
                batch = self._held.pop(0) if self._held else await anext(self._source)
                for step in self._steps:
                    made = step(batch)
                    batch = batch if made is None else made
                if batch:
                    return batch
                del batch  # what has been handed on must not wait here for the next
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
        End the stream early, also one that nobody began to read; does nothing once it has ended.

        Its client has left, or `failure` says what else went wrong on the way to it.
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
        """Close the source, give the connection back and tell everybody, also if this task is cancelled meanwhile."""
        if self._settled:
            return
        self._settled = True
        outcome, cancelled = Outcome.of(failure), None
        steps: list[Finisher] = [self._give_back, *self._finishers]
        if failure is not None:
            steps.insert(0, self._close_source)  # one that came to its end has closed itself
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
    """Return an event without its provider's own words, which may say something else than it does by now."""
    return event if event.native is None else msgspec.structs.replace(event, native=None)


def after_commit(error: GatewayError) -> GatewayError:
    """Say of a failure in the middle of an answer that the answer is broken; timeouts keep their own name."""
    if error.kind.category not in {"network", "parse"}:
        return error
    broken = GatewayError(STREAM_BROKEN, error.message)
    broken.provider, broken.from_upstream = error.provider, error.from_upstream
    return broken


def weight_of(delta: Delta) -> Weight:
    """Return how much a piece of a choice carries by itself."""
    if delta.content or delta.tool_calls or delta.refusal or delta.function_call:
        return Weight.ANSWER
    return Weight.THOUGHT if delta.reasoning_content or delta.reasoning else Weight.NOTHING
