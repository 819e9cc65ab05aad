"""Calls that are sent again, and answered once."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from app.core.call import Call, CallOptions, Target
from app.core.errors import IDEMPOTENCY_KEY_REUSED, TARGET_FAILED, TIMEOUT_TOTAL, GatewayError
from app.core.identity import Caller
from app.core.model import ChatRequest, Native, StreamEvent, Weight
from app.core.pipeline import Stage, compose
from app.core.signals import CallRepeated, Signal
from app.core.stream import EventStream
from app.stages.idempotency import Idempotency
from app.stages.timeouts import TotalTimeout
from app.state.idempotency import RepeatLimits
from app.state.idempotency.memory import LocalRepeats
from tests.support.calls import (
    TARGET,
    FakeProvider,
    Line,
    Step,
    a_call,
    answers,
    asking,
    done,
    event,
    fails,
    hangs,
    role,
    streams,
    text_of,
    usage,
    word,
)
from tests.support.virtual_time import VirtualClock

REPLAY = {"x-wizard-idempotent-replay": "true"}
ENDING = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


class House:
    """The stage before a provider. `told` lists the signals."""

    def __init__(self, clock: VirtualClock, *script: Step, max_bytes: int = 100_000) -> None:
        self.told: list[Signal] = []
        self.provider = FakeProvider(*script)
        numbers = itertools.count()
        repeats = LocalRepeats(RepeatLimits(60.0, 100, max_bytes, 100_000), clock, lambda: str(next(numbers)))
        stages: list[Stage[Call]] = [TotalTimeout(), Idempotency(max_bytes, repeats, clock, self.told.append)]
        self.handler = compose(stages, self.provider)

    def call(self, key: str | None = "k", body: str = "hi", *, tenant: str = "eve", **fields: Any) -> Call:  # noqa: ANN401 - JSON
        """Return a call with a key."""
        total_s = fields.pop("total_s", 300.0)
        call = a_call(asking(body, **fields), options=CallOptions(idempotency_key=key), total_s=total_s)
        headers = (("traceparent", "00-1"), ("idempotency-key", key or ""))
        return msgspec.structs.replace(
            call, caller=Caller(tenant, tenant), fingerprint=call.request.raw, headers=headers
        )

    async def ask(self, *calls: Call) -> list[str]:
        """Send calls one after the other and return the texts of the answers."""
        return [await text_of(await self.handler(call)) for call in calls]


def words(*texts: str) -> Line:
    """Return a complete stream."""
    finish = event(ENDING, Weight.ANSWER)
    return Line(role(), *[word(text) for text in texts], finish, usage(1, 2), done())


async def refusal(asked: Any) -> GatewayError:  # noqa: ANN401 - a coroutine
    """Return why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked
    return caught.value


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_repeat_gets_the_answer(clock: VirtualClock, stream: bool) -> None:
    """The same, in the same form; a provider is asked once, and the repeat says that it is one, and who answered."""
    step = streams(words("one ", "answer")) if stream else answers("one answer")
    house = House(clock, step)
    first, again = house.call(stream=stream), house.call(stream=stream)
    first.journal.target = TARGET

    texts = await house.ask(first, again)

    assert texts == ["one answer", "one answer"]
    assert len(house.provider.asked) == 1
    assert (first.journal.notes, again.journal.notes) == ({}, REPLAY)
    assert again.journal.target == TARGET
    assert house.told == [CallRepeated("req_1")]


async def test_without_a_key_each_call_is_its_own(clock: VirtualClock) -> None:
    """Nothing is kept of it, and it passes by as it is."""
    house = House(clock, answers("a"), answers("b"))
    call = house.call(None)

    assert await house.ask(call, house.call(None)) == ["a", "b"]
    assert house.provider.asked[0] is call


async def test_the_key_stays_here(clock: VirtualClock) -> None:
    """A provider would take the same key of two tenants for one."""
    house = House(clock, answers())

    await house.ask(house.call())
    (asked,) = house.provider.asked

    assert isinstance(asked, Call)
    assert asked.headers == (("traceparent", "00-1"),)


@pytest.mark.parametrize(("key", "tenant"), [("k", "mallory"), ("other", "eve")])
async def test_keys_are_those_of_their_tenant(clock: VirtualClock, key: str, tenant: str) -> None:
    """Another tenant's key, and another key, are other calls."""
    house = House(clock, answers("a"), answers("b"))

    assert await house.ask(house.call(), house.call(key, tenant=tenant)) == ["a", "b"]


async def test_another_request_with_the_key_is_refused(clock: VirtualClock) -> None:
    """While the first is under way and when it is answered; its own repeats go on to be answered."""
    house = House(clock, answers("a", after_s=5.0))
    first = asyncio.ensure_future(house.handler(house.call()))
    await asyncio.sleep(1.0)

    during = await refusal(house.handler(house.call(body="other")))
    await first
    after = await refusal(house.handler(house.call(body="other")))

    assert [during.kind, after.kind] == [IDEMPOTENCY_KEY_REUSED] * 2
    assert during.param == "idempotency-key"
    assert await house.ask(house.call()) == ["a"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_repeats_wait_for_the_first(clock: VirtualClock, stream: bool) -> None:
    """However many there are; all get the one answer when it is complete, and the wait is no overhead."""
    step = (
        streams(Line(role(), word("a"), 3.0, event(ENDING, Weight.ANSWER), done()))
        if stream
        else answers("a", after_s=3.0)
    )
    house = House(clock, step)
    began = clock.now()

    calls = [house.call(stream=stream) for _ in range(5)]

    texts = await asyncio.gather(*(house.ask(call) for call in calls))

    assert texts == [["a"]] * 5
    assert len(house.provider.asked) == 1
    assert clock.now() == began + 3.0
    assert [call.journal.upstream_s for call in calls[1:]] == [3.0] * 4


@pytest.mark.parametrize("ending", ["fails", "is cut", "is left", "is unfinished"])
async def test_what_is_not_complete_is_not_kept(clock: VirtualClock, ending: str) -> None:
    """The next call, also one that waited, is the first then."""
    script: dict[str, Step] = {
        "fails": fails(TARGET_FAILED, after_s=1.0),
        "is cut": streams(Line(word("ha"), 1.0, GatewayError(TARGET_FAILED, "cut"))),
        "is left": hangs(),
        "is unfinished": streams(Line(word("ha"), 1.0)),
    }
    house = House(clock, script[ending], answers("again"))
    stream = ending in {"is cut", "is unfinished"}
    first = asyncio.ensure_future(house.ask(house.call(stream=stream)))
    await asyncio.sleep(0.5)
    waiting = asyncio.ensure_future(house.ask(house.call(stream=stream)))
    await asyncio.sleep(0.1)

    if ending == "is left":
        first.cancel()
    await asyncio.wait([first])

    assert await waiting == ["again"]
    assert len(house.provider.asked) == 2


async def test_a_stream_that_is_left_half_way(clock: VirtualClock) -> None:
    """Its client may come back, and is answered anew."""
    house = House(clock, streams(words("a", "b")), streams(words("c")))
    reply = await house.handler(house.call(stream=True))
    assert isinstance(reply.body, EventStream)
    await anext(aiter(reply.body))
    await reply.body.aclose()

    assert await house.ask(house.call(stream=True)) == ["c"]


async def test_waiting_ends_with_the_time_of_the_call(clock: VirtualClock) -> None:
    """A repeat with less time than the first does not wait longer than that."""
    house = House(clock, hangs())
    first = asyncio.ensure_future(house.handler(house.call()))
    await asyncio.sleep(0.0)
    began = clock.now()

    error = await refusal(house.handler(house.call(total_s=2.0)))

    assert error.kind is TIMEOUT_TOTAL
    assert clock.now() == began + 2.0
    first.cancel()
    await asyncio.wait([first])


async def test_what_is_too_large_is_not_kept(clock: VirtualClock) -> None:
    """Its repeat is a call of its own."""
    house = House(clock, answers("x" * 500), answers("y"), max_bytes=400)

    assert await house.ask(house.call(), house.call()) == ["x" * 500, "y"]


@pytest.mark.parametrize(
    ("fields", "told"), [({}, False), ({"stream_options": {"include_usage": True}}, True)], ids=["silent", "asked for"]
)
async def test_usage_is_told_to_those_who_ask(clock: VirtualClock, fields: dict[str, Any], told: bool) -> None:
    """As in the stream that is repeated."""
    house = House(clock, streams(words("a")))
    await house.ask(house.call(stream=True, **fields))

    reply = await house.handler(house.call(stream=True, **fields))
    assert isinstance(reply.body, EventStream)
    events: list[StreamEvent] = [event async for batch in reply.body for event in batch]

    assert any(event.chunk is not None and event.chunk.usage is not None for event in events) is told
    assert events[-1].done


async def test_other_dialects_are_always_told(clock: VirtualClock) -> None:
    """Their streams have the usage in them."""
    house = House(clock, streams(words("a")))
    await house.ask(house.call(stream=True))
    call = house.call(stream=True)
    assert isinstance(call.request, ChatRequest)
    native = msgspec.structs.replace(call.request, origin=Native("anthropic", b"{}"), translated=True)

    reply = await house.handler(msgspec.structs.replace(call, request=native))
    assert isinstance(reply.body, EventStream)
    events = [event async for batch in reply.body for event in batch]

    assert any(event.chunk is not None and event.chunk.usage is not None for event in events)


async def test_who_answered_is_remembered(clock: VirtualClock) -> None:
    """The journal of a repeat names the target of the first."""
    house = House(clock, answers())
    first, again = house.call(), house.call()
    first.journal.target = Target("acme", "small")

    await house.ask(first, again)

    assert again.journal.target == Target("acme", "small")
