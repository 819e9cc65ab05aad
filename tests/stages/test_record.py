"""What the listeners learn of a call, whichever way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from app.core.call import Call, Reply, Target
from app.core.errors import INVALID_REQUEST, TARGET_FAILED, TARGET_UNAVAILABLE, GatewayError
from app.core.lifecycle import CUT_OFF
from app.core.model import ChatRequest, Completion
from app.core.pipeline import Handler, compose
from app.core.signals import CallEnded, CallStarted, Signal, StreamStarted
from app.core.stream import EventStream
from app.core.usage import Usage
from app.stages.fallback import Fallback
from app.stages.record import Record
from tests.support.calls import (
    OTHER,
    TARGET,
    FakeProvider,
    Line,
    Sent,
    Step,
    a_call,
    answers,
    asking,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    usage,
    word,
)
from tests.support.virtual_time import START_S, VirtualClock

WHOLE, STREAMED = asking(), asking(stream=True)
AT_ONCE = CallEnded(
    request_id="req_1", endpoint="chat", model="fast", provider="acme", target_model="small", stream=False,
    outcome="completed", status=200, code="", category="", attempts=1, position=0,
    duration_s=0.0, overhead_s=0.0, first_token_s=None, tokens_per_s=None, usage=None,
)  # fmt: skip


class Bench:
    """A record stage over a fallback over a scripted provider; `signals` is what was heard."""

    def __init__(self, *script: Step, request: ChatRequest = WHOLE, targets: tuple[Target, ...] = (TARGET,)) -> None:
        self.signals: list[Signal] = []
        self.call = a_call(request)
        clock = VirtualClock()
        listen = self.signals.append
        fallback: Handler[Call] = Fallback(
            lambda _call: targets, FakeProvider(*script), {"server_error"}, lambda _signal: None
        )
        self._handler = compose([Record(listen, clock)], fallback)

    async def reply(self) -> Reply:
        """Make the call."""
        return await self._handler(self.call)

    async def read(self) -> str:
        """Make the call and read the reply to its end."""
        return await text_of(await self.reply())

    async def ended(self) -> CallEnded:
        """Make the call, come what may, and return the last signal."""
        await asyncio.gather(self.read(), return_exceptions=True)
        return self.last()

    def last(self) -> CallEnded:
        """Return the last signal, which is the ending."""
        signal = self.signals[-1]
        assert isinstance(signal, CallEnded)
        return signal

    @property
    def heard(self) -> list[type[Signal]]:
        """Return the kinds of the signals in order."""
        return [type(signal) for signal in self.signals]


def ending(**fields: object) -> CallEnded:
    """Return the ending of a whole answer that took no time, changed by `fields`."""
    return msgspec.structs.replace(AT_ONCE, **fields)


async def test_a_whole_answer_is_recorded() -> None:
    """A whole answer is reported when it is there, with its usage and without the figures of a stream."""
    tokens = Usage(3, 7, 10)
    bench = Bench(answers(after_s=2.0, usage=tokens))

    text = await bench.read()

    assert text == "hello"
    assert bench.signals == [
        CallStarted("req_1", "chat", "fast", stream=False),
        ending(duration_s=2.0, overhead_s=2.0, usage=tokens),
    ]


async def test_a_stream_is_recorded_at_its_end() -> None:
    """A stream is announced when it commits and reported after its last byte, with its pace and its usage."""
    line = Line(role(), 0.5, word(), 2.0, word(), 2.0, usage(3, 8))
    bench = Bench(streams(line), request=STREAMED)

    reply = await bench.reply()
    early = list(bench.signals)
    await text_of(reply)

    assert early == [
        CallStarted("req_1", "chat", "fast", stream=True),
        StreamStarted("req_1", "acme", "small", 0.5),
    ]
    assert bench.signals[2:] == [
        ending(
            stream=True,
            duration_s=4.5,
            overhead_s=0.5,
            first_token_s=0.5,
            tokens_per_s=2.0,
            longest_gap_s=2.0,
            usage=Usage(3, 8, 11),
        )
    ]


async def test_the_last_usage_counts() -> None:
    """Of several reports of usage in a stream the last one is the total."""
    bench = Bench(streams(Line(word(), usage(3, 1), 1.0, usage(3, 8))), request=STREAMED)

    assert (await bench.ended()).usage == Usage(3, 8, 11)


@pytest.mark.parametrize(
    ("line", "usage_known"),
    [(Line(word(), 2.0), False), (Line(word(), usage(3, 8)), True)],
    ids=["no usage", "no time"],
)
async def test_a_pace_needs_tokens_and_time(line: Line, usage_known: bool) -> None:
    """Tokens per second are left out where there is nothing to divide, or nothing to divide by."""
    ended = await Bench(streams(line), request=STREAMED).ended()

    assert ended.tokens_per_s is None
    assert (ended.usage is not None) is usage_known


async def test_time_after_the_last_event_is_no_part_of_the_pace() -> None:
    """Giving the connection back may take a while; the tokens were not slower for it."""
    line = Line(word(), 4.0, usage(3, 8))

    async def release() -> None:
        await asyncio.sleep(0.5)

    async def step(_call: Call) -> Reply:
        return Reply(EventStream(line.batches(), release))

    assert (await Bench(step, request=STREAMED).ended()).tokens_per_s == 2.0


@pytest.mark.parametrize("request_", [WHOLE, STREAMED], ids=["whole", "stream"])
async def test_a_refusal_is_recorded(request_: ChatRequest) -> None:
    """A failure before the answer is reported with its row; no stream was announced."""
    bench = Bench(fails(INVALID_REQUEST, after_s=1.0), request=request_)

    ended = await bench.ended()

    assert bench.heard == [CallStarted, CallEnded]
    assert ended == ending(
        stream=request_.stream,
        outcome="failed",
        status=400,
        code="invalid_request",
        category="validation",
        duration_s=1.0,
        overhead_s=1.0,
    )


async def test_a_broken_stream_is_recorded() -> None:
    """A failure inside a stream is reported with the row that the client is told."""
    line = Line(word(), 1.0, usage(3, 2), GatewayError(TARGET_UNAVAILABLE, "reset"))
    bench = Bench(streams(line), request=STREAMED)

    ended = await bench.ended()

    assert bench.heard == [CallStarted, StreamStarted, CallEnded]
    assert ended == ending(
        stream=True,
        outcome="failed",
        status=502,
        code="stream_broken",
        category="stream",
        duration_s=1.0,
        first_token_s=0.0,
        tokens_per_s=2.0,
        longest_gap_s=1.0,
        usage=Usage(3, 2, 5),
    )


async def test_a_bug_is_recorded_as_internal() -> None:
    """An exception that is no gateway error is reported as a fault of the gateway, and comes out as it was."""
    bench = Bench(raises(ValueError("a secret")))

    with pytest.raises(ValueError, match="a secret"):
        await bench.read()

    assert bench.last() == ending(outcome="failed", status=500, code="internal", category="internal")


@pytest.mark.parametrize(
    ("step", "heard"),
    [
        (hangs, [CallStarted, CallEnded]),
        (lambda: streams(Line(role(), 1e9)), [CallStarted, CallEnded]),
        (lambda: streams(Line(word(), 1e9)), [CallStarted, StreamStarted, CallEnded]),
    ],
    ids=["before the answer", "before the commit", "inside the stream"],
)
async def test_a_client_that_leaves_is_recorded(step: Callable[[], Step], heard: list[type[Signal]]) -> None:
    """A cancelled call is reported as abandoned, with the client to blame and nobody else."""
    bench = Bench(step(), request=STREAMED)
    task = asyncio.create_task(bench.read())
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert bench.heard == heard
    ended = bench.last()
    assert (ended.outcome, ended.status, ended.code, ended.category) == ("abandoned", 499, "client_closed", "network")
    assert ended.duration_s == 5.0


@pytest.mark.parametrize("script", [[1e9, word()], [word(), 1e9]], ids=["before the commit", "inside the stream"])
async def test_a_call_that_the_end_of_the_process_cuts_off_is_recorded(script: list[Sent]) -> None:
    """It was not the client that left: the call failed, for want of a gateway."""
    bench = Bench(streams(Line(*script)), request=STREAMED)
    task = asyncio.create_task(bench.read())
    await asyncio.sleep(5.0)

    task.cancel(CUT_OFF)
    await asyncio.wait([task])

    ended = bench.last()
    assert (ended.outcome, ended.status, ended.code) == ("failed", 503, "overloaded")


async def test_a_stream_that_nobody_reads_is_recorded() -> None:
    """A client that leaves between commit and first byte is reported once."""
    bench = Bench(streams(Line(word())), request=STREAMED)
    reply = await bench.reply()
    assert isinstance(reply.body, EventStream)

    await reply.body.aclose()

    assert bench.heard == [CallStarted, StreamStarted, CallEnded]
    assert bench.last().outcome == "abandoned"


async def test_the_target_that_answered_is_named() -> None:
    """After a fallback the record names the target that answered, its position, and all attempts."""
    bench = Bench(fails(TARGET_FAILED, after_s=1.0), answers(after_s=1.0), targets=(TARGET, OTHER))

    ended = await bench.ended()

    assert ended == ending(provider="box", target_model="large", attempts=2, position=1, duration_s=2.0, overhead_s=2.0)


async def test_a_call_that_reached_no_target_names_none(clock: VirtualClock) -> None:
    """A call refused or answered above the targets is recorded with empty names."""
    signals: list[Signal] = []
    refused = compose([Record(signals.append, clock)], FakeProvider(fails(INVALID_REQUEST)))
    replayed = compose([Record(signals.append, clock)], FakeProvider(streams(Line(word()))))

    with pytest.raises(GatewayError):
        await refused(a_call())
    await text_of(await replayed(a_call(STREAMED)))

    named = [(signal.provider, signal.target_model) for signal in signals if isinstance(signal, CallEnded)]
    assert named == [("", ""), ("", "")]
    assert StreamStarted("req_1", "", "", 0.0) in signals


async def test_waiting_for_the_provider_is_no_overhead(clock: VirtualClock) -> None:
    """Overhead is the time up to the commit point less what the journal says was spent upstream."""

    async def upstream(call: Call) -> Reply:
        await clock.sleep(2.0)
        call.journal.upstream_s += 1.5
        return Reply(Completion(b"{}"))

    async def dying(call: Call) -> Reply:
        await upstream(call)
        raise GatewayError(TARGET_FAILED, "no")

    answered, failed = await Bench(upstream).ended(), await Bench(dying).ended()

    assert (answered.duration_s, answered.overhead_s) == (2.0, 0.5)
    assert (failed.outcome, failed.overhead_s) == ("failed", 2.5)


async def test_time_before_the_stage_counts() -> None:
    """Durations are counted from the start of the call, not from when the stage saw it."""
    bench = Bench(streams(Line(1.0, word(), 1.0)), request=STREAMED)
    await asyncio.sleep(3.0)

    ended = await bench.ended()

    assert bench.call.started == START_S
    assert (ended.first_token_s, ended.duration_s) == (4.0, 5.0)
