"""From a stored answer, or one that is under way, to the reply to one call."""

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
_BATCH_BYTES: Final = 65_536  # one write; more wait for the client
_MARKS_MAX: Final = 64  # a pace is a curve, not a protocol


def stored_reply(call: Call, stored: Stored, clock: Clock) -> Reply:
    """Return a stored answer; the journal says where it came from, that it is old, and that it cost nothing."""
    stored.origin.tell(call.journal)
    call.journal.notes["age"] = str(int(stored.age_s(clock.wall())))
    call.journal.cost.add(0.0)
    return replayed(call, stored.completion, stored.pace, clock)


def replayed(call: Call, completion: Completion, pace: Pace = (), clock: Clock | None = None) -> Reply:
    """Return a whole answer as the call wants it; a stream comes all at once, or at a `pace` that `clock` measures."""
    if not call.request.stream:
        return Reply(completion)
    events = replay(completion, include_usage=wants_usage(call))
    source = paced(events, pace, clock) if pace and clock is not None else _at_once(events)
    return Reply(EventStream(source, lambda: None))


def reader_reply(call: Call, reader: Reader, leave: Callable[[], Awaitable[None] | None]) -> Reply:
    """Return the stream of one reader; it ends in time for the call, and calls `leave` at its end."""
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
    """Say whether a stream shows its usage: only a client that speaks OpenAI's form can do without."""
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
    """Notes when the events of a stream come; `observe` belongs into `EventStream.observe`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._bytes = 0
        self._began: float | None = None
        self._marks: list[tuple[float, int]] = []

    def observe(self, batch: Batch) -> None:
        """Take the next events."""
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
    """Give out events at the pace at which an answer of the same size once came; those of one moment come together."""
    began, total, so_far = clock.now(), sum([len(event.frame) for event in events]), 0
    shares = [share for _, share in pace]
    waiting: list[StreamEvent] = []
    for event in events:
        so_far += len(event.frame)
        due = began + pace[min(bisect_left(shares, so_far / total), len(pace) - 1)][0]
        if due > clock.now():
            yield waiting
            waiting = []
            await clock.sleep(max(0.0, due - clock.now()))  # whoever reads slowly has waited already
        waiting.append(event)
    if waiting:
        yield waiting
