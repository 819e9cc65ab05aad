"""What every adapter promises about circuits: one suite for the memory and for each server that speaks Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from app.core.circuits import CircuitState
from app.state.circuits.circuit import Finding, Reading
from tests.state.circuits.decisions import POLICY, Decisions, InMemory, in_redis
from tests.state.hand import Hand
from tests.support.redis_server import RedisServer, servers

TARGET = "acme/small"
CLOSED, HALF_OPEN, OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN


@pytest.fixture
def hand() -> Hand:
    """Return the time."""
    return Hand()


@pytest.fixture(params=["memory", *servers()])
async def circuits(
    request: pytest.FixtureRequest, hand: Hand, all_servers: dict[str, RedisServer]
) -> AsyncIterator[Decisions]:
    """Return each adapter in turn."""
    if request.param == "memory":
        yield InMemory(hand)
        return
    async with in_redis(all_servers[request.param].port, hand) as adapter:
        yield adapter


async def end(circuits: Decisions, admitted: Reading, **how: float) -> Reading:
    """Report the end of a call that was admitted."""
    return await circuits.report(TARGET, POLICY, msgspec.convert({**how, **_of(admitted)}, Finding))


async def fail_until_open(circuits: Decisions, **how: float) -> Reading:
    """Let calls fail until the circuit is open."""
    readings = [
        await end(circuits, await circuits.admit(TARGET, POLICY), failed=1, **how)
        for _ in range(POLICY.failure_threshold)
    ]
    return readings[-1]


def _of(admitted: Reading) -> dict[str, object]:
    assert admitted.slot is not None, "the call was refused"
    return {"generation": admitted.generation, "slot": admitted.slot}


async def test_an_unknown_circuit_is_closed(circuits: Decisions) -> None:
    """A target that nobody heard of is asked."""
    admitted = await circuits.admit(TARGET, POLICY)

    assert (CLOSED, 0, "") == (admitted.state, admitted.generation, admitted.slot)


async def test_it_opens_at_the_threshold(circuits: Decisions) -> None:
    """The last failure opens it, and says how many there were."""
    admitted = await circuits.admit(TARGET, POLICY)

    readings = [await end(circuits, admitted, failed=1) for _ in range(3)]

    assert [CLOSED, CLOSED, OPEN] == [reading.state for reading in readings]
    assert (3, 3, 10_000) == (readings[-1].failures, readings[-1].calls, readings[-1].wait_ms)
    assert (await circuits.admit(TARGET, POLICY)).slot is None


async def test_too_small_a_share_of_failures_opens_nothing(circuits: Decisions) -> None:
    """A busy target may fail now and then; it opens once the share is reached."""
    admitted = await circuits.admit(TARGET, POLICY)
    await end(circuits, admitted, completed=4)

    readings = [await end(circuits, admitted, failed=1) for _ in range(4)]

    assert [CLOSED, CLOSED, CLOSED, OPEN] == [reading.state for reading in readings]


async def test_failures_leave_the_window(circuits: Decisions, hand: Hand) -> None:
    """What is older than the window does not count, what is just inside does."""
    admitted = await circuits.admit(TARGET, POLICY)
    await end(circuits, admitted, failed=1)
    hand.pass_s(6)
    await end(circuits, admitted, failed=1)
    hand.pass_s(6)

    first = await end(circuits, admitted, failed=1)
    last = await end(circuits, admitted, failed=1)

    assert (CLOSED, 2) == (first.state, first.failures)
    assert (OPEN, 3) == (last.state, last.failures)


async def test_good_answers_leave_the_window_too(circuits: Decisions, hand: Hand) -> None:
    """Old successes do not protect a target that fails now."""
    admitted = await circuits.admit(TARGET, POLICY)
    await end(circuits, admitted, completed=100)
    hand.pass_s(13)
    await end(circuits, admitted, completed=1)

    reading = await circuits.read(TARGET, POLICY)
    opened = await fail_until_open(circuits)

    assert (0, 1) == (reading.failures, reading.calls)
    assert opened.state is OPEN


async def test_it_is_open_for_its_time(circuits: Decisions, hand: Hand) -> None:
    """Not a millisecond less; then there are as many probes as are allowed."""
    await fail_until_open(circuits)
    hand.pass_s(9.999)

    before = await circuits.admit(TARGET, POLICY)
    hand.pass_s(0.001)
    probes = [await circuits.admit(TARGET, POLICY) for _ in range(3)]

    assert (OPEN, None, 1) == (before.state, before.slot, before.wait_ms)
    assert [HALF_OPEN] * 3 == [probe.state for probe in probes]
    assert probes[0].slot
    assert probes[1].slot
    assert probes[0].slot != probes[1].slot
    assert probes[2].slot is None


async def test_a_good_probe_closes_it(circuits: Decisions, hand: Hand) -> None:
    """The window begins empty, and a later opening begins with the shortest time."""
    await fail_until_open(circuits)
    hand.pass_s(10)
    probe = await circuits.admit(TARGET, POLICY)

    closed = await end(circuits, probe, completed=1)
    again = await fail_until_open(circuits)

    assert closed.state is CLOSED
    assert (OPEN, 10_000, 3) == (again.state, again.wait_ms, again.failures)


async def test_bad_probes_make_it_wait_longer(circuits: Decisions, hand: Hand) -> None:
    """Twice as long each time, up to the longest."""
    opened = await fail_until_open(circuits)
    waits = []

    for _ in range(4):
        hand.pass_s(opened.wait_ms / 1000)
        opened = await end(circuits, await circuits.admit(TARGET, POLICY), failed=1)
        waits.append(opened.wait_ms)

    assert [20_000, 40_000, 60_000, 60_000] == waits


async def test_chance_shortens_the_open_time_that_has_grown(circuits: Decisions, hand: Hand) -> None:
    """By the factor it is given; but nobody probes before `open_s` is over."""
    opened = await fail_until_open(circuits, shrink=0.75)
    hand.pass_s(10)
    again = await end(circuits, await circuits.admit(TARGET, POLICY), failed=1, shrink=0.75)
    hand.pass_s(15)
    least = await end(circuits, await circuits.admit(TARGET, POLICY), failed=1, shrink=0.1)

    assert [10_000, 15_000, 10_000] == [opened.wait_ms, again.wait_ms, least.wait_ms]


async def test_the_wish_of_a_provider_is_the_least_time(circuits: Decisions) -> None:
    """It beats both the configured and the longest time, up to a day."""
    opened = await fail_until_open(circuits, least_open_s=90.5, shrink=0.75)
    await circuits.force(TARGET, "reset")
    endless = await fail_until_open(circuits, least_open_s=1e12)

    assert (90_500, 86_400_000) == (opened.wait_ms, endless.wait_ms)


async def test_a_crashed_prober_blocks_nobody_for_long(circuits: Decisions, hand: Hand) -> None:
    """A place that nobody gave back is free again after the lease, and a late answer still tells something."""
    await fail_until_open(circuits)
    hand.pass_s(10)
    lost = [await circuits.admit(TARGET, POLICY) for _ in range(2)]
    hand.pass_s(4.999)

    before = await circuits.admit(TARGET, POLICY)
    hand.pass_s(0.001)
    after = await circuits.admit(TARGET, POLICY)
    late = await end(circuits, lost[0], completed=1)

    assert before.slot is None
    assert after.slot
    assert late.state is CLOSED


async def test_a_probe_that_says_nothing_gives_its_place_back(circuits: Decisions, hand: Hand) -> None:
    """Its caller left; the next call takes the place."""
    await fail_until_open(circuits)
    hand.pass_s(10)
    probes = [await circuits.admit(TARGET, POLICY) for _ in range(2)]

    still = await end(circuits, probes[0])
    following = await circuits.admit(TARGET, POLICY)

    assert still.state is HALF_OPEN
    assert following.slot


async def test_late_results_change_nothing(circuits: Decisions, hand: Hand) -> None:
    """A call that began before the circuit opened neither closes it, nor opens it again, nor counts afterwards."""
    slow = await circuits.admit(TARGET, POLICY)
    await fail_until_open(circuits)

    while_open = await end(circuits, slow, completed=1)
    hand.pass_s(10)
    probe = await circuits.admit(TARGET, POLICY)
    while_half_open = [await end(circuits, slow, completed=1), await end(circuits, slow, failed=1)]
    await end(circuits, probe, completed=1)
    await end(circuits, slow, failed=9)
    afterwards = await circuits.read(TARGET, POLICY)

    assert while_open.state is OPEN
    assert [HALF_OPEN, HALF_OPEN] == [reading.state for reading in while_half_open]
    assert (CLOSED, 0, 0) == (afterwards.state, afterwards.failures, afterwards.calls)


async def test_an_operators_word_stands(circuits: Decisions, hand: Hand) -> None:
    """A forced circuit stays open however long it takes, until it is closed or reset."""
    forced = await circuits.force(TARGET, "open")
    hand.pass_s(1_000_000)

    refused = await circuits.admit(TARGET, POLICY)
    closed = await circuits.force(TARGET, "close")
    admitted = await circuits.admit(TARGET, POLICY)

    assert (OPEN, True) == (forced.state, forced.forced)
    assert (OPEN, True, None) == (refused.state, refused.forced, refused.slot)
    assert (CLOSED, False) == (closed.state, closed.forced)
    assert admitted.slot == ""


async def test_reset_forgets_more_than_close(circuits: Decisions) -> None:
    """After a close the next opening goes on growing; after a reset it begins anew."""
    await fail_until_open(circuits)
    await circuits.force(TARGET, "close")
    after_close = await fail_until_open(circuits)
    await circuits.force(TARGET, "reset")
    after_reset = await fail_until_open(circuits)

    assert (20_000, 10_000) == (after_close.wait_ms, after_reset.wait_ms)


async def test_targets_have_circuits_of_their_own(circuits: Decisions) -> None:
    """Names may hold anything."""
    await fail_until_open(circuits)
    names = ["acme/large", "acme/sm", "acme/small}", "acme/\u00e9\u4e2d{x}: 100% \\ %s", ""]

    slots = [(await circuits.admit(name, POLICY)).slot for name in names]

    assert [""] * 5 == slots


async def test_how_long_it_has_been_so(circuits: Decisions, hand: Hand) -> None:
    """The age is that of the state."""
    await fail_until_open(circuits)
    hand.pass_s(3.25)

    reading = await circuits.read(TARGET, POLICY)

    assert (3250, 6750) == (reading.age_ms, reading.wait_ms)


async def test_many_at_once_get_no_more_places_than_there_are(circuits: Decisions, hand: Hand) -> None:
    """Calls that come in the same moment compete for two places."""
    await fail_until_open(circuits)
    hand.pass_s(10)

    probes = await asyncio.gather(*(circuits.admit(TARGET, POLICY) for _ in range(50)))

    assert 2 == sum(1 for probe in probes if probe.slot)


async def test_a_new_length_of_the_window_does_no_harm(circuits: Decisions) -> None:
    """After a reload counting goes on, whatever becomes of what was counted in other steps."""
    admitted = await circuits.admit(TARGET, POLICY)
    longer, shorter = (msgspec.structs.replace(POLICY, window_s=seconds) for seconds in (3600.0, 1.2))

    readings = [
        await circuits.report(TARGET, policy, Finding(admitted.generation, failed=1))
        for policy in (POLICY, POLICY, longer, longer, shorter, shorter)
    ]

    assert {CLOSED} == {reading.state for reading in readings}
    assert [1, 2, 1, 2, 1, 2] == [reading.failures for reading in readings]
