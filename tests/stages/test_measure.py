"""What every attempt leaves behind: a load that strategies choose by, and a signal."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Attempt
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    INVALID_REQUEST,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_UNAVAILABLE,
    TIMEOUT_FIRST_TOKEN,
    TIMEOUT_TOTAL,
    UNSUPPORTED_FEATURE,
    GatewayError,
    Kind,
)
from app.core.pipeline import Handler, Stage, compose
from app.core.signals import AttemptEnded, Signal
from app.core.stream import EventStream
from app.core.traffic.loads import FAILURE_S, Loads
from app.stages.measure import Measure
from app.stages.timeouts import AttemptTimeout
from tests.support.calls import (
    TARGET,
    FakeProvider,
    Line,
    Step,
    a_call,
    an_attempt,
    answers,
    asking,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    word,
)
from tests.support.virtual_time import VirtualClock


class Bench:
    """A measured script, with an attempt timeout of half a minute inside as in the gateway."""

    def __init__(self, *script: Step, stream: bool = False) -> None:
        self.clock = VirtualClock()
        self.loads = Loads()
        self.signals: list[Signal] = []
        self.attempt = an_attempt(a_call(asking(stream=stream)))
        self.stream = stream
        measure = Measure(self.loads, self.clock, self.signals.append)
        stages: list[Stage[Attempt]] = [measure, AttemptTimeout(30.0)]
        self._handler: Handler[Attempt] = compose(stages, FakeProvider(*script))

    async def run(self) -> object:
        """Make an attempt and read its answer to the end."""
        reply = await self._handler(self.attempt)
        return await text_of(reply)

    async def fail(self, expected: type[BaseException] = GatewayError) -> None:
        """Make an attempt that fails, or whose stream does."""
        with pytest.raises(expected):
            await self.run()

    async def open(self) -> EventStream:
        """Make an attempt whose stream is not read yet."""
        reply = await self._handler(self.attempt)
        assert isinstance(reply.body, EventStream)
        return reply.body

    @property
    def in_flight(self) -> int:
        """Return how many attempts the target has."""
        return self.loads.seen(TARGET.name).in_flight

    @property
    def reliability(self) -> float:
        """Return the target's reliability."""
        return self.loads.seen(TARGET.name).reliability

    @property
    def latency_s(self) -> float | None:
        """Return what is known of the target's speed."""
        return self.loads.seen(TARGET.name).latency_s(stream=self.stream, now=self.clock.now())

    def ended(self) -> list[tuple[str, str]]:
        """Return outcome and code of each signal."""
        return [(signal.outcome, signal.code) for signal in self.signals if isinstance(signal, AttemptEnded)]


async def test_a_whole_answer_is_timed() -> None:
    """The time of a whole answer is the time until it is there, and nothing stays in flight."""
    bench = Bench(answers(after_s=2.5))

    await bench.run()

    assert (bench.latency_s, bench.in_flight, bench.reliability) == (2.5, 0, 1.0)
    assert bench.signals == [AttemptEnded("req_1", "acme", "small", "completed", "")]


async def test_a_stream_is_timed_to_its_first_word_and_in_flight_to_its_last() -> None:
    """The role alone is no first token; the answer's length says nothing about the target's speed."""
    bench = Bench(streams(Line(0.5, role(), 0.5, word("a"), 20.0, word("b"))), stream=True)

    stream = await bench.open()
    known, open_before = bench.latency_s, bench.in_flight
    async for _ in stream:
        pass

    assert (known, open_before, bench.in_flight) == (1.0, 1, 0)
    assert bench.ended() == [("completed", "")]


@pytest.mark.parametrize("kind", [TARGET_FAILED, TARGET_UNAVAILABLE, TARGET_MISCONFIGURED, BAD_UPSTREAM_REPLY])
async def test_a_failure_makes_a_target_slow_and_unreliable(kind: Kind) -> None:
    """Failing at once is not answering at once."""
    bench = Bench(fails(kind, after_s=0.01))

    await bench.fail()

    assert (bench.latency_s, bench.in_flight) == (FAILURE_S, 0)
    assert bench.reliability < 1.0
    assert bench.ended() == [("failed", kind.code)]


async def test_a_stream_that_breaks_counts_against_its_target() -> None:
    """A failure after the first word is one as well."""
    bench = Bench(streams(Line(word("a"), GatewayError(TARGET_UNAVAILABLE, "reset"))), stream=True)

    await bench.fail()

    assert (bench.latency_s, bench.in_flight) == (FAILURE_S, 0)
    assert bench.ended() == [("failed", "stream_broken")]


async def test_a_first_token_that_never_comes_is_a_failure() -> None:
    """A target that runs into its time limit has failed, and was as slow as that."""
    bench = Bench(hangs(), stream=True)

    await bench.fail()

    assert (bench.latency_s, bench.in_flight) == (30.0, 0)
    assert bench.ended() == [("failed", TIMEOUT_FIRST_TOKEN.code)]


@pytest.mark.parametrize("kind", [INVALID_REQUEST, UNSUPPORTED_FEATURE], ids=lambda kind: kind.code)
async def test_a_wrong_request_is_not_the_targets_fault(kind: Kind) -> None:
    """A refusal by the provider, or by the codec, says nothing about speed and reliability, and is a try."""
    bench = Bench(fails(kind))

    await bench.fail()

    assert (bench.latency_s, bench.in_flight, bench.reliability) == (None, 0, 1.0)
    assert bench.ended() == [("refused", kind.code)]


@pytest.mark.parametrize(("after_s", "known"), [(0.25, None), (20.0, 20.0)])
async def test_a_caller_who_leaves_tells_how_long_he_waited(after_s: float, known: float | None) -> None:
    """Whoever gives up after a long wait shows that the target is at least so slow; a short one shows nothing."""
    bench = Bench(hangs())
    task = asyncio.ensure_future(bench.run())
    await asyncio.sleep(after_s)

    task.cancel()
    await asyncio.wait([task])

    assert (bench.latency_s, bench.in_flight, bench.reliability) == (known, 0, 1.0)
    assert bench.ended() == [("abandoned", "")]


async def test_a_caller_who_leaves_a_stream_tells_nothing_more() -> None:
    """Once the first word is there the target has shown its speed; leaving late does not change it."""
    bench = Bench(streams(Line(0.5, word("a"), word("b"))), stream=True)
    stream = await bench.open()
    await asyncio.sleep(100.0)
    before = bench.latency_s

    await stream.aclose()

    assert (bench.latency_s, bench.in_flight) == (before, 0)
    assert bench.ended() == [("abandoned", "")]


async def test_a_spent_deadline_blames_nobody() -> None:
    """A call whose whole time was over counts as waited for, not as failed."""
    bench = Bench(fails(TIMEOUT_TOTAL, after_s=7.0))

    await bench.fail()

    assert (bench.latency_s, bench.reliability) == (7.0, 1.0)
    assert bench.ended() == [("failed", "timeout_total")]


async def test_a_bug_blames_nobody() -> None:
    """An exception of our own leaves no trace but the end of the attempt."""
    bench = Bench(raises(ValueError("bug")))

    await bench.fail(ValueError)

    assert (bench.latency_s, bench.in_flight, bench.reliability) == (None, 0, 1.0)
    assert bench.ended() == [("failed", "")]
