"""The order in which each strategy tries the targets of a route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Call, Target
from app.core.routing.balancing import STRATEGIES, Guarded, Strategy
from app.core.routing.candidates import Candidate
from app.core.traffic.loads import DECAY_S
from tests.support.calls import OTHER, TARGET, THIRD
from tests.support.routes import START_S, Surroundings, calling, candidates

FOURTH = Target("dune", "old")
ALL = candidates(TARGET, OTHER, THIRD, FOURTH)
every_strategy = pytest.mark.parametrize("name", list(STRATEGIES))


def first(strategy: Strategy, among: Sequence[Candidate] = ALL, call: Call | None = None) -> Target:
    """Return the target that is tried first."""
    return strategy.order(among, call or calling())[0].target


def shares(strategy: Strategy, among: Sequence[Candidate], calls: int = 4000) -> dict[Target, float]:
    """Return which share of calls begins with which target."""
    counted = Counter(first(strategy, among) for _ in range(calls))
    return {candidate.target: counted[candidate.target] / calls for candidate in among}


@every_strategy
@given(count=st.integers(1, 4), busy=st.lists(st.integers(0, 3), min_size=4, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_every_target_is_tried_once(name: str, count: int, busy: list[int], seed: int) -> None:
    """Whatever the strategy and the load, an order holds each candidate exactly once."""
    around = Surroundings(seed)
    for candidate, in_flight in zip(ALL, busy, strict=True):
        around.traffic.loads.of(candidate.target.name).in_flight = in_flight
    strategy = around.strategy(name)

    for _ in range(3):
        ordered = strategy.order(ALL[:count], calling())

        assert sorted(candidate.target.name for candidate in ordered) == sorted(
            candidate.target.name for candidate in ALL[:count]
        )


def test_sequential_keeps_the_order() -> None:
    """From top to bottom means exactly that."""
    assert list(Surroundings().strategy("sequential").order(ALL, calling())) == ALL


@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=4), st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_weighted_shares_converge(weights: list[float], seed: int) -> None:
    """Over many calls each target is first as often as its weight says."""
    weighted = [Candidate(each.target, weight=weight) for each, weight in zip(ALL, weights, strict=False)]

    found = shares(Surroundings(seed).strategy("weighted"), weighted)

    for candidate in weighted:
        assert found[candidate.target] == pytest.approx(candidate.weight / sum(weights), abs=0.04)


def test_weights_count_for_the_next_place_as_well() -> None:
    """When the first fails, the others are tried in proportion to their own weights."""
    weighted = [Candidate(TARGET, weight=1e6), Candidate(OTHER, weight=3.0), Candidate(THIRD, weight=1.0)]
    strategy = Surroundings().strategy("weighted")

    seconds = Counter(strategy.order(weighted, calling())[1].target for _ in range(4000))

    assert seconds[OTHER] / 4000 == pytest.approx(0.75, abs=0.03)


def test_round_robin_takes_turns() -> None:
    """Each target begins once in a row, and the others follow in a circle."""
    strategy = Surroundings().strategy("round_robin")

    orders = [[candidate.target for candidate in strategy.order(ALL[:3], calling())] for _ in range(4)]

    assert orders == [[TARGET, OTHER, THIRD], [OTHER, THIRD, TARGET], [THIRD, TARGET, OTHER], [TARGET, OTHER, THIRD]]


def test_round_robin_goes_on_after_a_reload() -> None:
    """The turn belongs to the route's name, not to the object, and each route has its own."""
    around = Surroundings()

    before, elsewhere = first(around.strategy("round_robin")), first(around.strategy("round_robin", "other"))
    after = first(around.strategy("round_robin"))

    assert (before, elsewhere, after) == (TARGET, TARGET, OTHER)


@given(st.integers(0, 99), st.lists(st.booleans(), max_size=60))
@settings(max_examples=40, deadline=None)
def test_least_busy_never_lets_one_target_get_ahead(seed: int, steps: list[bool]) -> None:
    """While no call ends, no target has two calls more than another; a call always goes to one with the fewest."""
    around = Surroundings(seed)
    strategy, loads = around.strategy("least_busy"), around.traffic.loads
    busiest_ends = 0

    for begins in steps:
        counts = {candidate.target: loads.of(candidate.target.name).in_flight for candidate in ALL}
        if begins:
            chosen = first(strategy)
            assert counts[chosen] == min(counts.values())
            loads.of(chosen.name).in_flight += 1
        elif max(counts.values()) > 0:
            busiest_ends += 1
            loads.of(max(counts, key=counts.__getitem__).name).in_flight -= 1

    counted = [loads.of(candidate.target.name).in_flight for candidate in ALL]
    assert max(counted) - min(counted) <= 1
    assert sum(counted) == steps.count(True) - busiest_ends


def test_least_busy_spreads_what_is_idle() -> None:
    """Among targets that have nothing to do chance decides, so that a quiet gateway uses all of them."""
    found = shares(Surroundings().strategy("least_busy"), ALL)

    assert all(share == pytest.approx(0.25, abs=0.05) for share in found.values())


@pytest.mark.parametrize("stream", [True, False])
def test_latency_prefers_the_faster(stream: bool) -> None:
    """Of two targets the faster one is always first; of four, the fastest most often and the slowest never."""
    around = Surroundings()
    for rank, candidate in enumerate(ALL):
        around.traffic.loads.of(candidate.target.name).answered(0.1 * 4**rank, stream=stream, now=START_S)
    strategy, call = around.strategy("latency"), calling(stream=stream)

    pair = Counter(first(strategy, ALL[:2], call) for _ in range(200))
    four = Counter(first(strategy, ALL, call) for _ in range(2000))

    assert pair == {TARGET: 200}
    assert four[TARGET] / 2000 == pytest.approx(0.5, abs=0.05)
    assert four[OTHER] / 2000 == pytest.approx(1 / 3, abs=0.05)
    assert FOURTH not in four


def test_latency_tries_the_others_from_best_to_worst() -> None:
    """Behind the chosen one the fallbacks are sorted by speed."""
    around = Surroundings()
    for candidate, seconds in zip(ALL, (0.8, 0.2, 0.4, 0.1), strict=True):
        around.traffic.loads.of(candidate.target.name).answered(seconds, stream=False, now=START_S)

    ordered = around.strategy("latency").order(ALL, calling())

    rest = [candidate.target for candidate in ordered[1:]]
    assert rest == [target for target in (FOURTH, OTHER, THIRD, TARGET) if target != ordered[0].target]


def test_latency_counts_what_is_in_flight() -> None:
    """A fast target with a queue is slower than an idle one that is a little slower."""
    around = Surroundings()
    fast, idle = around.traffic.loads.of(TARGET.name), around.traffic.loads.of(OTHER.name)
    fast.answered(0.2, stream=False, now=START_S)
    idle.answered(0.5, stream=False, now=START_S)
    fast.in_flight = 4

    assert first(around.strategy("latency"), ALL[:2]) == OTHER


def test_latency_gives_the_unknown_one_call() -> None:
    """A target nobody has tried is tried, by one call at a time until something is known of it."""
    around = Surroundings()
    known, new = around.traffic.loads.of(TARGET.name), around.traffic.loads.of(OTHER.name)
    known.answered(0.2, stream=False, now=START_S)
    strategy = around.strategy("latency")

    untried = first(strategy, ALL[:2])
    new.in_flight = 1
    probing = first(strategy, ALL[:2])

    assert (untried, probing) == (OTHER, TARGET)


def test_latency_forgives_with_time() -> None:
    """A target that failed is avoided for some time and then tried again without anybody's help."""
    around = Surroundings()
    good, bad = around.traffic.loads.of(TARGET.name), around.traffic.loads.of(OTHER.name)
    good.answered(0.5, stream=False, now=START_S)
    bad.failed(0.01, stream=False, now=START_S)
    strategy = around.strategy("latency")
    chosen = []

    for _ in range(12):
        around.clock.time += DECAY_S / 2
        good.answered(0.5, stream=False, now=around.clock.time)
        chosen.append(first(strategy, ALL[:2]))

    assert chosen[0] == TARGET
    assert chosen[-1] == OTHER


PRICED = [
    Candidate(TARGET, input_usd_per_mtok=1.0, output_usd_per_mtok=1.0),
    Candidate(OTHER, input_usd_per_mtok=0.1, output_usd_per_mtok=4.0),
    Candidate(THIRD, input_usd_per_mtok=0.0, output_usd_per_mtok=0.0),
]


@pytest.mark.parametrize(
    ("text", "fields", "order"),
    [
        ("hi", {}, [THIRD, TARGET, OTHER]),
        ("hi", {"max_tokens": 10}, [THIRD, TARGET, OTHER]),
        ("x" * 40_000, {"max_tokens": 100}, [THIRD, OTHER, TARGET]),
        ("x" * 40_000, {"max_tokens": 10_000}, [THIRD, TARGET, OTHER]),
    ],
)
def test_cost_is_that_of_this_call(text: str, fields: dict[str, Any], order: list[Target]) -> None:
    """What is cheapest depends on how much is read and how much may be written."""
    call = calling(messages=[{"role": "user", "content": text}], **fields)

    ordered = Surroundings().strategy("cost").order(PRICED, call)

    assert [candidate.target for candidate in ordered] == order


def test_cost_leaves_the_unpriced_for_last() -> None:
    """A price nobody knows is no low price; equal prices keep the configured order."""
    half = Candidate(THIRD, input_usd_per_mtok=0.0)
    among = [Candidate(FOURTH), half, *PRICED[:1], Candidate(OTHER, input_usd_per_mtok=1.0, output_usd_per_mtok=1.0)]

    ordered = Surroundings().strategy("cost").order(among, calling())

    assert [candidate.target for candidate in ordered] == [TARGET, OTHER, FOURTH, THIRD]


class Foreign:
    """Somebody's strategy, which returns what it was told to."""

    def __init__(self, *returned: Candidate) -> None:
        self._returned = returned

    def order(self, _candidates: Sequence[Candidate], _call: Call, /) -> Sequence[Candidate]:
        """Return it."""
        return self._returned


@pytest.mark.parametrize(
    ("returned", "order"),
    [
        ([ALL[2], ALL[0], ALL[1]], [THIRD, TARGET, OTHER]),
        ([], [TARGET, OTHER, THIRD]),
        ([ALL[1]], [OTHER, TARGET, THIRD]),
        ([ALL[1], ALL[1], ALL[3]], [OTHER, TARGET, THIRD]),
    ],
)
def test_a_foreign_strategy_cannot_lose_or_add_targets(returned: list[Candidate], order: list[Target]) -> None:
    """What it leaves out comes last; what it repeats or invents is not tried."""
    ordered = Guarded(Foreign(*returned)).order(ALL[:3], calling())

    assert [candidate.target for candidate in ordered] == order
