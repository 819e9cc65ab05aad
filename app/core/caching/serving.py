"""Makes the reply to a call from a stored answer, or from a broadcast."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final

from app.core.answers.replay import replay
from app.core.answers.usage_shown import UsageShown, usage_hidden
from app.core.caching.broadcast import Reader
from app.core.caching.stored import Pace, Stored
from app.core.call import Call, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, GatewayError
from app.core.model import ChatRequest, Completion, StreamEvent
from app.core.stream import Batch, EventStream

STALE: Final = '110 - "Response is Stale"'
NOT_REVALIDATED: Final = '111 - "Revalidation Failed"'
_BATCH_BYTES: Final = 65_536  # of one write
_MARKS_MAX: Final = 64  # of a pace; enough for the shape of the curve


def stored_reply(call: Call, stored: Stored, clock: Clock) -> Reply:
    """Return a stored answer; notes its origin, its age and a cost of nothing in the journal."""
    stored.origin.tell(call.journal)
    call.journal.notes["age"] = str(int(stored.age_s(clock.wall())))
    call.journal.cost.add(0.0)
    return replayed(call, stored.completion, stored.pace, clock)


def replayed(call: Call, completion: Completion, pace: Pace = (), clock: Clock | None = None) -> Reply:
    """Return an answer, streamed if the call asks for that: all at once, or at a `pace` that `clock` measures."""
    if not call.request.stream:
        return Reply(completion)
    events = replay(completion, include_usage=wants_usage(call))
    source = paced(events, pace, clock) if pace and clock is not None else _at_once(events)
    return Reply(EventStream(source, lambda: None))


def reader_reply(call: Call, reader: Reader, leave: Callable[[], Awaitable[None] | None]) -> Reply:
    """Return the stream of one reader; ends with TIMEOUT_TOTAL at the call's deadline; calls `leave` at its end."""
    late = GatewayError(TIMEOUT_TOTAL, f"No complete answer within {call.deadline - call.started:g} s.")
    timer = asyncio.get_running_loop().call_at(call.deadline, reader.end, late)

    def release() -> Awaitable[None] | None:
        timer.cancel()
        reader.leave()
        return leave()

    stream = EventStream(reader.batches(), release)
    stream.transform(UsageShown() if wants_usage(call) else usage_hidden)
    return Reply(stream)


def wants_usage(call: Call) -> bool:
    """Return whether a stream includes its usage: if the client asks for it, or its dialect needs it."""
    request = call.request
    return request.asks_for_usage or (isinstance(request, ChatRequest) and request.translated)


async def _at_once(events: list[StreamEvent]) -> AsyncGenerator[Batch, None]:
    start, size = 0, 0
    for end, event in enumerate(events, start=1):
        size += len(event.frame)
        if size >= _BATCH_BYTES or end == len(events):
            yield events[start:end]
            start, size = end, 0


class Stopwatch:
    """Records when the events of a stream come; register `observe` with `EventStream.observe`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._bytes = 0
        self._began: float | None = None
        self._marks: list[tuple[float, int]] = []

    def observe(self, batch: Batch) -> None:
        """Record the arrival of a batch."""
        now = self._now()
        if self._began is None:
            self._began = now
        self._bytes += sum([len(event.frame) for event in batch])
        self._marks.append((now - self._began, self._bytes))
        if len(self._marks) >= 2 * _MARKS_MAX:
            del self._marks[1::2]

    def pace(self) -> Pace:
        """Return the pace up to now."""
        return tuple([(seconds, count / self._bytes) for seconds, count in self._marks]) if self._bytes else ()


async def paced(events: Sequence[StreamEvent], pace: Pace, clock: Clock) -> AsyncGenerator[Batch, None]:
    """Iterate over events at a pace, by their share of the total size; those due together come as one batch."""
    began, total, so_far = clock.now(), sum([len(event.frame) for event in events]), 0
    shares = [share for _, share in pace]
    waiting: list[StreamEvent] = []
    for event in events:
        so_far += len(event.frame)
        due = began + pace[min(bisect_left(shares, so_far / total), len(pace) - 1)][0]
        if due > clock.now():
            yield waiting
            waiting = []
            await clock.sleep(max(0.0, due - clock.now()))  # the time that a slow reader took counts as waiting
        waiting.append(event)
    if waiting:
        yield waiting
