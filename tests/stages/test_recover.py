"""Going on with a stream that broke off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from app.core.call import CallOptions, Reply, Target
from app.core.errors import (
    CIRCUIT_OPEN,
    CONTENT_BLOCKED,
    STREAM_BROKEN,
    TARGET_FAILED,
    TARGET_UNAVAILABLE,
    TIMEOUT_IDLE,
    TIMEOUT_TOTAL,
    GatewayError,
    Kind,
)
from app.core.model import ChatRequest, Native, StreamEvent, Weight
from app.core.pipeline import compose
from app.core.recovery.continuing import Continues
from app.core.signals import Signal, StreamNotRecovered, StreamRecovered
from app.core.stream import EventStream
from app.stages.fallback import Fallback
from app.stages.recover import Recover
from tests.support.calls import (
    OTHER,
    TARGET,
    THIRD,
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
    text_in,
    thought,
    usage,
    word,
)

FIRST = "one two "


def finish() -> StreamEvent:
    """Return the event that ends a choice."""
    return event({"id": "x", "choices": [{"delta": {}, "finish_reason": "stop", "stop_reason": "."}]}, Weight.ANSWER)


def broken(kind: Kind = TARGET_UNAVAILABLE) -> GatewayError:
    """Return what ends a stream too soon."""
    return GatewayError(kind, "scripted")


class Bench:
    """A route of three targets over a scripted provider; those in `able` can go on with a text."""

    def __init__(
        self,
        *script: Step,
        able: Sequence[Target] = (OTHER, THIRD),
        most: int = 1,
        request: ChatRequest | None = None,
        options: CallOptions | None = None,
    ) -> None:
        self.provider = FakeProvider(*script)
        self.signals: list[Signal] = []
        self.call = a_call(request or asking(stream=True), options=options)
        route = (TARGET, OTHER, THIRD)
        stage = Recover(
            lambda model: most if model == "fast" else 0,
            lambda _call: route,
            lambda target: Continues.TRAILING if target in able else None,
            self.provider,
            self.signals.append,
        )
        fallback = Fallback(lambda _call: route, self.provider, frozenset({"network"}), lambda _signal: None)
        self.handler = compose([stage], fallback)
        self.events: list[StreamEvent] = []

    async def read(self) -> Reply:
        """Read the answer to its end."""
        reply = await self.handler(self.call)
        assert isinstance(reply.body, EventStream)
        async for batch in reply.body:
            self.events += batch
        return reply

    async def fail(self) -> GatewayError:
        """Read an answer that fails, and return the failure."""
        with pytest.raises(GatewayError) as caught:
            await self.read()
        return caught.value

    @property
    def reasons(self) -> list[str]:
        """Return why streams were not continued."""
        return [signal.reason for signal in self.signals if isinstance(signal, StreamNotRecovered)]

    def prefix(self, attempt: int) -> object:
        """Return what the target of an attempt was told to go on with."""
        body = msgspec.json.decode(self.provider.attempts[attempt].call.request.raw)
        return body["messages"][-1]["content"]


def rest(*words: str) -> Step:
    """Return a continuation."""
    return streams(Line(role(), *[word(each) for each in words], finish(), done()))


def breaks(*events: StreamEvent, kind: Kind = TARGET_UNAVAILABLE) -> Step:
    """Return a stream that breaks off behind these events."""
    return streams(Line(role(), *events, broken(kind)))


@pytest.mark.parametrize("kind", [TARGET_UNAVAILABLE, TIMEOUT_IDLE, TARGET_FAILED], ids=lambda kind: kind.code)
async def test_the_next_target_goes_on(kind: Kind) -> None:
    """It is shown what was said, and the client reads one answer; signal and journal tell of the seam."""
    bench = Bench(breaks(word("one "), word("two "), kind=kind), rest("three"))

    await bench.read()

    told = STREAM_BROKEN if kind is TARGET_UNAVAILABLE else kind
    assert text_in(bench.events) == "one two three"
    assert (bench.provider.targets, bench.prefix(1)) == ([TARGET, OTHER], "one two")
    assert bench.signals == [StreamRecovered("req_1", TARGET.name, OTHER.name, told.code, len(FIRST))]
    assert (bench.call.journal.target, bench.call.journal.position) == (OTHER, 1)
    assert [seam.onward for seam in bench.call.journal.recovered] == [OTHER.name]


async def test_a_stream_that_does_not_break_is_not_touched() -> None:
    """Its events are the provider's own, one by one."""
    sent = [role(), word("hello"), finish(), done()]
    bench = Bench(streams(Line(*sent)))

    await bench.read()

    assert (bench.events, bench.signals) == (sent, [])


async def test_words_of_another_dialect_are_left_to_the_gateway() -> None:
    """What could not be continued in its provider's own words is written by the gateway from the beginning."""
    native = msgspec.structs.replace(word("one "), native=Native("anthropic", b"event: x\n\n"))
    bench = Bench(breaks(native), rest("two"))

    await bench.read()

    assert text_in(bench.events) == "one two"
    assert not any(each.native for each in bench.events)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        ([thought(), word("one")], TARGET_UNAVAILABLE),
        ([word("one"), finish()], TARGET_UNAVAILABLE),
        ([word("one"), StreamEvent(b"data: 1\n\n", None, Weight.ANSWER)], TARGET_UNAVAILABLE),
        ([event({"choices": [{"delta": {"content": [{"type": "text"}]}}]}, Weight.ANSWER)], TARGET_UNAVAILABLE),
    ],
)
async def test_more_than_text_is_not_continued(seen: list[StreamEvent], kind: Kind) -> None:
    """Reasoning, a finish, events of unknown form and parts end the stream as ever."""
    bench = Bench(breaks(*seen, kind=kind))

    failure = await bench.fail()

    assert (failure.kind, bench.reasons) == (STREAM_BROKEN, ["unfit"])


@pytest.mark.parametrize("kind", [TIMEOUT_TOTAL, CONTENT_BLOCKED], ids=lambda kind: kind.code)
async def test_what_no_target_is_to_blame_for_is_not_continued(kind: Kind) -> None:
    """Time that is spent, and content that was blocked, are the same everywhere."""
    bench = Bench(breaks(word(FIRST), kind=kind))

    failure = await bench.fail()

    assert (failure.kind, bench.signals) == (kind, [])


@pytest.mark.parametrize(
    ("options", "request_", "most"),
    [
        (CallOptions(fallback=False), asking(stream=True), 1),
        (CallOptions(), asking(stream=True, n=2), 1),
        (CallOptions(), asking(stream=True), 0),
        (CallOptions(), asking(stream=True, model="other"), 1),
    ],
)
async def test_calls_that_are_left_alone(options: CallOptions, request_: ChatRequest, most: int) -> None:
    """Those that want no fallback, may not be continued, or go to another route."""
    bench = Bench(breaks(word(FIRST)), most=most, request=request_, options=options)

    failure = await bench.fail()

    assert (failure.kind, bench.signals) == (STREAM_BROKEN, [])


async def test_whole_answers_and_sound_pass() -> None:
    """A provider that answers whole, or with something else than events, is not followed."""
    sound = Line(word("la"))

    async def play(_call: object) -> Reply:
        return Reply(EventStream(sound.batches(), sound.release, "audio/mpeg"))

    bench = Bench(answers("whole"), play)

    whole, stream = await bench.handler(bench.call), await bench.handler(bench.call)

    assert not isinstance(whole.body, EventStream)
    assert isinstance(stream.body, EventStream)
    assert stream.body.media_type == "audio/mpeg"
    await stream.body.aclose()


@pytest.mark.parametrize(
    ("script", "able", "reason"),
    [
        ([], (), "unable"),
        ([], (TARGET,), "unable"),
        ([fails(CIRCUIT_OPEN), fails(CONTENT_BLOCKED)], (OTHER, THIRD), "failed"),
        ([answers("whole")], (OTHER,), "failed"),
    ],
)
async def test_nobody_goes_on(script: list[Step], able: Sequence[Target], reason: str) -> None:
    """The client is told what happened to the answer that it was reading, and the journal names whose that was."""
    bench = Bench(breaks(word(FIRST)), *script, able=able)

    failure = await bench.fail()

    assert (failure.kind, bench.reasons) == (STREAM_BROKEN, [reason])
    assert (bench.call.journal.target, bench.call.journal.position) == (TARGET, 0)


async def test_a_target_that_refuses_is_passed_over() -> None:
    """Also with an error that would end a call: it is about the partial answer, not about the request."""
    bench = Bench(breaks(word(FIRST)), fails(CONTENT_BLOCKED), rest("three"))

    await bench.read()

    assert text_in(bench.events) == "one two three"
    assert bench.provider.targets == [TARGET, OTHER, THIRD]


async def test_a_break_of_the_continuation() -> None:
    """It is continued as often as the route allows; the next target sees everything that was shown."""
    twice = Bench(breaks(word("one ")), breaks(word("two ")), rest("three"), most=2)
    once = Bench(breaks(word("one ")), breaks(word("two ")), rest("three"))

    await twice.read()
    failure = await once.fail()

    assert (text_in(twice.events), twice.prefix(2)) == ("one two three", "one two")
    assert [seam.chars for seam in twice.call.journal.recovered] == [4, 8]
    assert (failure.kind, once.reasons, text_in(once.events)) == (STREAM_BROKEN, ["spent"], "one two ")


async def test_a_continuation_that_says_nothing_new_is_none() -> None:
    """It breaks before the seam: the next target takes over from the first one, as if the second had refused."""
    bench = Bench(breaks(word("one two three")), breaks(word("one")), rest(" four"))

    await bench.read()

    assert text_in(bench.events) == "one two three four"
    assert [(seam.origin, seam.onward) for seam in bench.call.journal.recovered] == [(TARGET.name, THIRD.name)]


async def test_who_begins_anew_is_left() -> None:
    """Nothing of it is shown, its stream is given up at once, and the next target is asked."""
    long = "It was a bright cold day in April, and the clocks "
    anew = Line(role(), word(long + "stood still."), word("And more."), finish(), done())
    bench = Bench(breaks(word(long + "were striking")), streams(anew), rest(" thirteen."))

    await bench.read()

    assert text_in(bench.events) == long + "were striking thirteen."
    assert anew.log == ["sent", "sent", "ended", "released"]


async def test_the_call_has_no_more_time() -> None:
    """Whoever is asked to go on has what is left of the call's time, and no more."""
    bench = Bench(breaks(word(FIRST)), hangs())
    started = asyncio.get_running_loop().time()
    bench.call = msgspec.structs.replace(bench.call, started=started, deadline=started + 5)

    failure = await bench.fail()

    assert (failure.kind, bench.reasons) == (STREAM_BROKEN, ["failed"])
    assert asyncio.get_running_loop().time() == pytest.approx(started + 5)


async def test_a_time_out_of_somebody_else_is_a_bug() -> None:
    """It is not mistaken for the end of the call's time."""

    async def bug(_call: object) -> Reply:
        raise TimeoutError

    bench = Bench(breaks(word(FIRST)), bug)

    with pytest.raises(TimeoutError):
        await bench.read()


@pytest.mark.parametrize("begun", [False, True], ids=["unread", "read"])
async def test_a_client_that_leaves(*, begun: bool) -> None:
    """The connection that brings the answer is given back, also if nobody began to read it."""
    line = Line(role(), word("one"), word("two"), finish(), done())
    bench = Bench(streams(line))
    reply = await bench.handler(bench.call)
    assert isinstance(reply.body, EventStream)
    if begun:
        await anext(aiter(reply.body))

    await reply.body.aclose()

    assert line.released == 1


async def test_usage_is_that_of_both() -> None:
    """Counted or estimated for the first, counted for the second; an event that no client sees stays unseen."""
    unseen = msgspec.structs.replace(usage(20, 3), frame=b"")
    counted = Bench(breaks(word(FIRST), usage(7, 2)), streams(Line(role(), word("x"), finish(), unseen, done())))
    guessed = Bench(breaks(word(FIRST)), streams(Line(role(), word("x"), finish(), usage(20, 3), done())))

    await counted.read()
    await guessed.read()

    told = [
        (each.chunk.usage, bool(each.frame))
        for bench in (counted, guessed)
        for each in bench.events[3:]
        if each.chunk is not None and each.chunk.usage is not None
    ]
    (both, shown), (estimate, also_shown) = told
    assert both is not None
    assert estimate is not None
    assert (both.prompt_tokens, both.completion_tokens, both.total_tokens, shown) == (27, 5, 32, False)
    assert estimate.prompt_tokens > 20
    assert (estimate.completion_tokens, also_shown) == (5, True)


async def test_the_shape_of_the_stream_stays() -> None:
    """Id, model and time are those of the first half; role, reasoning and other choices of the second are left out."""
    head: dict[str, Any] = {"id": "a", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    first = event({**head, "choices": [{"delta": {"content": FIRST}}]}, Weight.ANSWER)
    odd = [
        StreamEvent(b"data: 1\n\n", None, Weight.ANSWER),
        event({"id": "b", "choices": [{"index": 1, "delta": {"content": "no"}}]}, Weight.ANSWER),
    ]
    bench = Bench(
        streams(Line(first, broken())),
        streams(Line(role(), thought(), *odd, word("three"), finish(), usage(1, 1), done())),
    )

    await bench.read()

    bodies = [msgspec.json.decode(each.frame.removeprefix(b"data:")) for each in bench.events if each.chunk]
    assert [{name: body.get(name) for name in head} for body in bodies] == [head] * 4
    assert [body["choices"] for body in bodies[1:]] == [
        [{"index": 0, "delta": {"content": "three"}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "."}],
        [],
    ]
    assert [name for body in bodies for name in body if name == "wizard"] == ["wizard"]


async def test_a_first_event_that_cannot_be_read_has_no_shape() -> None:
    """The second half has then at least the form of a chunk."""
    odd = msgspec.structs.replace(word(FIRST), frame=b"data: nothing\n\n")
    bench = Bench(streams(Line(odd, broken())), rest("three"))

    await bench.read()

    assert msgspec.json.decode(bench.events[1].frame.removeprefix(b"data:"))["object"] == "chat.completion.chunk"
