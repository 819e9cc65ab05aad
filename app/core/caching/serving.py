"""From a stored answer, or one that is under way, to the reply to one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from app.core.answers.replay import replay
from app.core.answers.usage_shown import UsageShown, usage_hidden
from app.core.caching.broadcast import Reader
from app.core.caching.replay_pace import paced
from app.core.caching.stored import Stored
from app.core.call import Call, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, GatewayError
from app.core.model import ChatRequest, Completion, StreamEvent
from app.core.stream import Batch, EventStream

STALE: Final = '110 - "Response is Stale"'
NOT_REVALIDATED: Final = '111 - "Revalidation Failed"'
_BATCH_BYTES: Final = 65_536  # one write; more wait for the client


def stored_reply(call: Call, stored: Stored, clock: Clock) -> Reply:
    """Return a stored answer; the journal says where it came from, that it is old, and that it cost nothing."""
    stored.origin.tell(call.journal)
    call.journal.notes["age"] = str(int(stored.age_s(clock.wall())))
    call.journal.cost.add(0.0)
    return as_wanted(call, stored, clock)


def as_wanted(call: Call, stored: Stored, clock: Clock) -> Reply:
    """Return a stored answer as the call wants it, which may be as a stream."""
    if not (call.request.stream and stored.pace):
        return replayed(call, stored.completion)
    events = replay(stored.completion, include_usage=wants_usage(call))
    return Reply(EventStream(paced(events, stored.pace, clock), _nothing))


def replayed(call: Call, completion: Completion) -> Reply:
    """Return a whole answer as the call wants it: a stream comes all at once."""
    if not call.request.stream:
        return Reply(completion)
    events = replay(completion, include_usage=wants_usage(call))
    return Reply(EventStream(_at_once(events), _nothing))


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


def _nothing() -> None:
    return None
