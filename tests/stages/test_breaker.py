"""The breaker in front of a target: what opens it, what passes by it, and what its callers are told."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import CallOptions, Target, Tried
from app.core.circuits import CircuitPolicy, CircuitState, CircuitView
from app.core.errors import (
    CIRCUIT_OPEN,
    INVALID_REQUEST,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_RATE_LIMITED,
    GatewayError,
    Kind,
)
from app.core.pipeline import compose
from app.core.signals import CircuitChanged, Signal
from app.stages.breaker import NAME_MAX_CHARS, Breaker
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from tests.support.calls import (
    OTHER,
    TARGET,
    FakeProvider,
    Line,
    Step,
    a_call,
    an_attempt,
    answers,
    done,
    fails,
    hangs,
    role,
    streams,
    text_of,
    word,
)
from tests.support.virtual_time import VirtualClock

POLICY = CircuitPolicy(
    failure_threshold=2, window_s=60.0, failure_ratio=0.5, open_s=30.0, open_max_s=300.0, half_open_max_calls=1
)
BROKEN = (fails(TARGET_FAILED), fails(TARGET_FAILED))


class Bench:
    """A breaker over real circuits in memory, in front of a scripted provider."""

    def __init__(self, clock: VirtualClock, *script: Step) -> None:
        self.told: list[Signal] = []
        self.circuits = LocalCircuits(Means(clock, lambda: 0.0, Announcer(self.told.append)))
        self.provider = FakeProvider(*script)
        self._handler = compose([Breaker(self.circuits, POLICY)], self.provider)

    async def ask(self, options: CallOptions | None = None, target: Target = TARGET) -> str:
        """Return the text of the answer, or the code of the failure."""
        try:
            return await text_of(await self._handler(an_attempt(a_call(options=options), target)))
        except GatewayError as error:
            return error.kind.code

    async def ask_last(self, tried: list[str]) -> str:
        """Ask for the last target of a call whose others ended with these codes."""
        call = a_call()
        call.journal.tried.extend(Tried(OTHER, code) for code in tried)
        try:
            return await text_of(await self._handler(an_attempt(call, last=True)))
        except GatewayError as error:
            return error.kind.code

    async def view(self) -> CircuitView:
        """Return the only circuit."""
        (only,) = await self.circuits.views(POLICY)
        return only


async def test_a_target_that_keeps_failing_is_left_alone(clock: VirtualClock) -> None:
    """The call after the last tolerated failure is refused without a word to the provider."""
    bench = Bench(clock, *BROKEN)

    said = [await bench.ask() for _ in range(3)]

    assert ["target_failed", "target_failed", "circuit_open"] == said
    assert 2 == len(bench.provider.asked)


async def test_the_refusal_says_when_to_come_back(clock: VirtualClock) -> None:
    """The time is that until the first probe, and the provider is named."""
    bench = Bench(clock, *BROKEN)
    await bench.ask()
    await bench.ask()
    await asyncio.sleep(10)

    with pytest.raises(GatewayError) as caught:
        await compose([Breaker(bench.circuits, POLICY)], bench.provider)(an_attempt())

    assert (CIRCUIT_OPEN, 20.0, "acme") == (caught.value.kind, caught.value.retry_after_s, caught.value.provider)


async def test_a_probe_that_succeeds_closes_it(clock: VirtualClock) -> None:
    """After the open time one call finds out, and the next ones pass."""
    bench = Bench(clock, *BROKEN, answers("well"), answers("again"))
    await bench.ask()
    await bench.ask()
    await asyncio.sleep(30)

    said = [await bench.ask(), await bench.ask()]

    assert ["well", "again"] == said
    changes = [(told.before, told.now, told.reason) for told in bench.told if isinstance(told, CircuitChanged)]
    assert [
        ("closed", "open", "failures"),
        ("open", "half_open", "probing"),
        ("half_open", "closed", "recovered"),
    ] == changes


async def test_others_are_refused_while_a_probe_is_under_way(clock: VirtualClock) -> None:
    """One probe decides; whoever comes meanwhile is told to wait a moment."""
    bench = Bench(clock, *BROKEN, answers("well", after_s=5))
    await bench.ask()
    await bench.ask()
    await asyncio.sleep(30)

    said = await asyncio.gather(bench.ask(), bench.ask(), bench.ask())

    assert ["well", "circuit_open", "circuit_open"] == list(said)


@pytest.mark.parametrize("kind", [INVALID_REQUEST, TARGET_RATE_LIMITED, TARGET_MISCONFIGURED])
async def test_what_is_not_the_targets_fault_does_not_count(clock: VirtualClock, kind: Kind) -> None:
    """Callers' mistakes, rate limits and the gateway's own errors open nothing."""
    bench = Bench(clock, *[fails(kind)] * 5, answers())

    said = [await bench.ask() for _ in range(6)]

    assert "hello" == said[-1]


async def test_a_stream_is_judged_at_its_end(clock: VirtualClock) -> None:
    """Streams that began well and broke off are failures; those that were read to the end are not."""
    broken = [streams(Line(role(), word(), GatewayError(TARGET_FAILED, "x"))) for _ in range(2)]
    bench = Bench(clock, streams(Line(role(), word(), done())), *broken)

    said = [await bench.ask() for _ in range(4)]

    assert ["hello", "target_failed", "target_failed", "circuit_open"] == said


async def test_a_client_that_leaves_blames_nobody_and_gives_a_probe_back(clock: VirtualClock) -> None:
    """The next call becomes the probe in its place."""
    bench = Bench(clock, *BROKEN, hangs(), answers("well"))
    await bench.ask()
    await bench.ask()
    await asyncio.sleep(30)
    leaving = asyncio.ensure_future(bench.ask())
    await asyncio.sleep(1)
    leaving.cancel()
    await asyncio.wait([leaving])

    said = await bench.ask()

    assert "well" == said


async def test_a_wish_of_the_provider_is_the_least_open_time(clock: VirtualClock) -> None:
    """Retry-After beats a shorter open time."""
    bench = Bench(clock, fails(TARGET_BUSY), fails(TARGET_BUSY, retry_after_s=90.0))
    await bench.ask()
    await bench.ask()

    view = await bench.view()

    assert (CircuitState.OPEN, 90.0) == (view.state, view.wait_s)


async def test_a_call_may_pass_by_the_circuit(clock: VirtualClock) -> None:
    """It is neither refused nor counted."""
    bench = Bench(clock, *BROKEN, fails(TARGET_FAILED), answers())
    await bench.ask()
    await bench.ask()

    said = [await bench.ask(CallOptions(circuit_breaker=False)) for _ in range(2)]

    assert ["target_failed", "hello"] == said
    assert CircuitState.OPEN is (await bench.view()).state


async def test_names_that_no_model_has_get_no_circuit(clock: VirtualClock) -> None:
    """Callers who make up endless names do not fill the store."""
    endless = Target("acme", "m" * (NAME_MAX_CHARS + 1))
    bench = Bench(clock, *[fails(TARGET_FAILED)] * 3)

    said = [await bench.ask(target=endless) for _ in range(3)]

    assert ["target_failed"] * 3 == said
    assert [] == await bench.circuits.views(POLICY)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (["circuit_open"], "target_failed"),
        (["circuit_open", "circuit_open"], "target_failed"),
        (["circuit_open", "target_failed"], "circuit_open"),
        ([], "circuit_open"),
    ],
)
async def test_the_last_target_is_never_taken_away(clock: VirtualClock, before: list[str], said: str) -> None:
    """If all other targets of a call are left alone it is tried all the same; a call that has only one is refused."""
    bench = Bench(clock, *BROKEN, fails(TARGET_FAILED))
    await bench.ask()
    await bench.ask()

    found = await bench.ask_last(before)

    assert said == found
    assert CircuitState.OPEN is (await bench.view()).state


async def test_a_target_that_an_operator_took_away_is_gone(clock: VirtualClock) -> None:
    """Even if it is the last."""
    bench = Bench(clock)
    await bench.circuits.force(TARGET, "open", POLICY)

    assert "circuit_open" == await bench.ask_last(["circuit_open"])
