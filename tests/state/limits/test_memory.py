"""The buckets of one process: bounded in number, and shared out where several processes cannot agree."""

from __future__ import annotations

from app.core.clock import SystemClock
from app.core.gcra import US_PER_S
from app.core.rules import NEVER
from app.state.limits.memory import SEEN_MAX, LocalLimits, MemoryLimits, Seen
from app.state.limits.refusals import REFUSALS_MAX, Refusals
from tests.state.hand import EPOCH_US
from tests.state.limits.limiting import ask, claim, places, remaining, requests, tokens

RULE = requests(60, 60, burst=60)


def test_buckets_that_are_as_good_as_new_are_forgotten() -> None:
    """Users who come once take no memory for long."""
    limits = MemoryLimits(buckets_max=10_000)

    for number in range(5000):
        limits.acquire(ask(claim(RULE, of=str(number))), EPOCH_US + number * US_PER_S)

    assert limits.held < 2500


def test_the_number_of_buckets_is_bounded() -> None:
    """However many users somebody makes up at once; the oldest go first."""
    limits = MemoryLimits(buckets_max=1500)

    for number in range(10_000):
        limits.acquire(ask(claim(requests(1, 86_400), of=str(number))), EPOCH_US)
    newest = limits.acquire(ask(claim(requests(1, 86_400), of="9999")), EPOCH_US)
    oldest = limits.acquire(ask(claim(requests(1, 86_400), of="0")), EPOCH_US)

    assert limits.held <= 1500 + 1024
    assert (newest.admitted, oldest.admitted) == (False, True)


def test_places_take_no_memory_when_nobody_is_there() -> None:
    """The last one to leave takes the bucket along; one who was forgotten leaves nothing to leave."""
    limits = MemoryLimits()
    first = limits.acquire(ask(claim(places(1)), hold_s=5.0), EPOCH_US)
    limits.settle(first, 0, EPOCH_US)
    limits.settle(first, 0, EPOCH_US)

    assert limits.held == 0


async def test_processes_that_cannot_agree_have_their_parts() -> None:
    """A third of the requests and of the places, at a third of the speed; what can never fit stays so."""
    limits = LocalLimits(SystemClock(), 3)
    small, big, few = requests(9), tokens(90), places(7)

    said = [(await limits.acquire(ask(claim(small), claim(few)))).admitted for _ in range(4)]
    large = [await limits.acquire(ask(claim(big, units))) for units in (90, 91)]

    assert said == [True, True, False, False]
    assert [each.admitted for each in large] == [True, False]
    assert large[1].standings[0].wait_us == NEVER
    assert remaining(await limits.levels()) == [1, 0, 0]


def test_an_operator_sees_the_newest_buckets() -> None:
    """So many of them, by their slots."""
    seen = Seen()

    for number in range(SEEN_MAX + 10):
        seen.note(ask(claim(RULE, of=str(number)), slot=str(number % 2)))

    assert len(list(seen.all())) == SEEN_MAX
    assert {"0", "1"} == seen.by_slot().keys()


def test_refusals_are_bounded() -> None:
    """However many callers are over their limits."""
    limits, refusals, rule = MemoryLimits(), Refusals(), requests(1, 3600)

    for number in range(REFUSALS_MAX + 10):
        asked = ask(claim(rule, of=str(number)))
        limits.acquire(asked, EPOCH_US)
        refusals.note(limits.acquire(asked, EPOCH_US), EPOCH_US)

    assert refusals.find(ask(claim(rule, of="0")), EPOCH_US) is None
    assert refusals.find(ask(claim(rule, of=str(REFUSALS_MAX))), EPOCH_US) is not None


def test_a_refusal_is_believed_for_its_time() -> None:
    """Not beyond the wait, and not beyond what its kind is believed; a larger call waits longer, up to for ever."""
    limits, refusals, rule = MemoryLimits(), Refusals(), tokens(100, 100)
    limits.acquire(ask(claim(rule, 100)), EPOCH_US)
    refusals.note(limits.acquire(ask(claim(rule, 10)), EPOCH_US), EPOCH_US)

    larger = refusals.find(ask(claim(rule, 20)), EPOCH_US + 1000)
    impossible = refusals.find(ask(claim(rule, 101)), EPOCH_US + 1000)
    after = refusals.find(ask(claim(rule, 10)), EPOCH_US + US_PER_S)

    assert larger is not None
    assert impossible is not None
    assert [each.standings[0].wait_us for each in (larger, impossible)] == [20 * US_PER_S - 1000, NEVER]
    assert larger.standings[0].used == 100 * US_PER_S - 1000
    assert after is None
    assert refusals.find(ask(claim(rule, 10)), EPOCH_US) is None  # it was forgotten


def test_a_full_house_is_believed_for_a_moment() -> None:
    """Places come back without a word."""
    limits, refusals, rule = MemoryLimits(), Refusals(), places(1)
    limits.acquire(ask(claim(rule)), EPOCH_US)
    refusals.note(limits.acquire(ask(claim(rule)), EPOCH_US), EPOCH_US)

    known = refusals.find(ask(claim(rule)), EPOCH_US + 1000)

    assert known is not None
    assert (known.standings[0].used, known.standings[0].remaining) == (1, 0)
    assert refusals.find(ask(claim(rule)), EPOCH_US + US_PER_S) is None
