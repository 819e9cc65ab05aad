"""Which target calls with something in common go to, and when they have to go elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Call, Target
from app.core.model import Operation, PlainRequest
from app.core.routing.affinity import COMMON, PREFIX_CHARS, Affinity, rendezvous
from app.core.routing.candidates import Candidate
from tests.support.calls import OTHER, TARGET, THIRD
from tests.support.routes import Surroundings, calling, candidates

FOURTH = Target("dune", "old")
ALL = candidates(TARGET, OTHER, THIRD, FOURTH)
VALUES = [f"session-{number}" for number in range(2000)]
targets = st.lists(
    st.builds(Target, st.sampled_from("abcdef"), st.text("xyz", min_size=1, max_size=6)),
    min_size=2,
    max_size=8,
    unique=True,
)


def of_user(user: str | None = "u", **fields: Any) -> Call:  # noqa: ANN401 - JSON
    """Return a call of a user."""
    return calling(user=user, **fields)


def of_session(session: str, **fields: Any) -> Call:  # noqa: ANN401 - JSON
    """Return a call of a session named in its header."""
    call = calling(**fields)
    return msgspec.structs.replace(call, options=msgspec.structs.replace(call.options, session=session))


def saying(*messages: tuple[str, Any]) -> Call:
    """Return a call with these messages."""
    return calling(messages=[{"role": role, "content": content} for role, content in messages])


def by_user(around: Surroundings) -> Affinity:
    """Return the affinity of users over round robin."""
    return Affinity(COMMON["user"], around.strategy("round_robin"), around.tools("fast"))


def first(affinity: Affinity, user: str) -> Target:
    """Return the target that a user's call goes to."""
    return affinity.order(ALL, of_user(user))[0].target


@given(st.text(min_size=1), targets)
@settings(deadline=None)
def test_a_value_always_has_the_same_rank(value: str, found: list[Target]) -> None:
    """The order is complete, and depends on neither the process nor the order in the configuration."""
    ranked = rendezvous(value, candidates(*found))

    assert sorted(each.target.name for each in ranked) == sorted(target.name for target in found)
    assert rendezvous(value, candidates(*reversed(found))) == ranked


def test_the_hash_is_part_of_the_promise() -> None:
    """Replicas of different versions agree, so the ranks of a value may not change between versions."""
    ranks = [[each.target.provider for each in rendezvous(value, ALL)] for value in ("a", "b", "ü")]

    assert ranks == [
        ["dune", "box", "acme", "cloud"],
        ["acme", "box", "cloud", "dune"],
        ["acme", "cloud", "box", "dune"],
    ]


@given(st.text(min_size=1), targets, st.data())
@settings(deadline=None)
def test_a_target_that_goes_moves_only_its_own(value: str, found: list[Target], data: st.DataObject) -> None:
    """The others keep their places among themselves, so only calls of the removed target get another one."""
    gone = data.draw(st.sampled_from(found))

    before = [each.target for each in rendezvous(value, candidates(*found))]
    after = [each.target for each in rendezvous(value, candidates(*[each for each in found if each != gone]))]

    assert after == [target for target in before if target != gone]


@given(st.lists(st.floats(0.5, 5.0), min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
def test_values_are_spread_by_weight(weights: list[float]) -> None:
    """Over many values each target is first as often as its weight says."""
    weighted = [Candidate(each.target, weight=weight) for each, weight in zip(ALL, weights, strict=False)]

    firsts = Counter(rendezvous(value, weighted)[0].target for value in VALUES)

    for each in weighted:
        assert firsts[each.target] / len(VALUES) == pytest.approx(each.weight / sum(weights), abs=0.05)


def test_a_greater_weight_moves_values_only_towards_it() -> None:
    """Whoever changes target goes to the one that became heavier."""
    heavier = [Candidate(TARGET, weight=3.0), *ALL[1:]]

    moved = {
        (rendezvous(value, ALL)[0].target, rendezvous(value, heavier)[0].target)
        for value in VALUES
        if rendezvous(value, ALL)[0] != rendezvous(value, heavier)[0]
    }

    assert {target for _, target in moved} == {TARGET}


def test_without_a_value_the_strategy_decides() -> None:
    """Calls that say nothing are balanced as if there were no affinity."""
    affinity = by_user(Surroundings())

    firsts = [affinity.order(ALL, of_user(None))[0].target for _ in range(4)]
    same = {first(affinity, "u") for _ in range(4)}

    assert firsts == [TARGET, OTHER, THIRD, FOURTH]
    assert len(same) == 1


def test_a_crowd_goes_elsewhere() -> None:
    """A target with more than 1.25 times its share in flight is moved behind, and is back as soon as it has room."""
    around = Surroundings()
    affinity = by_user(around)
    home = first(affinity, "u")
    second = affinity.order(ALL, of_user("u"))[1].target
    for each in ALL:
        around.traffic.loads.of(each.target.name).in_flight = 8

    around.traffic.loads.of(home.name).in_flight = 10
    near = first(affinity, "u")
    around.traffic.loads.of(home.name).in_flight = 11
    crowded = affinity.order(ALL, of_user("u"))

    assert near == home
    assert (crowded[0].target, crowded[-1].target) == (second, home)


def test_a_heavier_target_may_carry_more() -> None:
    """The share is that of the weight, not the same for all."""
    around = Surroundings()
    weighted = [Candidate(TARGET, weight=9.0), Candidate(OTHER)]
    around.traffic.loads.of(TARGET.name).in_flight = 45
    around.traffic.loads.of(OTHER.name).in_flight = 5
    user = next(value for value in VALUES if rendezvous(value, weighted)[0].target == TARGET)

    assert by_user(around).order(weighted, of_user(user))[0].target == TARGET


def test_a_few_calls_are_no_crowd() -> None:
    """A quiet gateway keeps calls side by side together, though they are all that is in flight."""
    around = Surroundings()
    affinity = by_user(around)
    home = first(affinity, "u")

    around.traffic.loads.of(home.name).in_flight = 3
    quiet = first(affinity, "u")
    around.traffic.loads.of(home.name).in_flight = 4
    crowded = first(affinity, "u")

    assert quiet == home != crowded


@given(st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_load_stays_within_the_bound(seed: int) -> None:
    """However few the users, no target ever gets more than its bound allows it."""
    around = Surroundings(seed)
    affinity, loads = by_user(around), around.traffic.loads
    for number in range(200):
        chosen = first(affinity, f"u{number % 2}")
        before = [loads.seen(each.target.name).in_flight for each in ALL]

        loads.of(chosen.name).in_flight += 1

        assert loads.seen(chosen.name).in_flight - 1 <= max(3, 1.25 * sum(before) / len(ALL))


def test_a_target_that_fails_is_left_and_tried_again() -> None:
    """Most of its calls go elsewhere; a few still go there, and bring it back once it is well."""
    around = Surroundings()
    affinity = by_user(around)
    home = first(affinity, "u")
    load = around.traffic.loads.of(home.name)
    for _ in range(4):
        load.judge(good=False)

    ill = Counter(first(affinity, "u") == home for _ in range(1000))
    for _ in range(2):
        load.judge(good=True)
    well = {first(affinity, "u") for _ in range(20)}

    assert 20 <= ill[True] <= 90
    assert well == {home}


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (of_session("s", prompt_cache_key="k", user="u"), "s"),
        (of_user("u", prompt_cache_key="k"), "k"),
        (of_user("u", prompt_cache_key=""), "u"),
        (of_user("u"), "u"),
        (of_user(None), None),
    ],
)
def test_a_session_is_named_by_header_or_body(call: Call, value: str | None) -> None:
    """The header goes before the body's prompt_cache_key, and that before its user."""
    assert COMMON["session"](call) == value


def test_a_conversation_keeps_its_prefix() -> None:
    """Later turns begin like the first one; another system prompt or first question is another conversation."""
    prefix = COMMON["prefix"]
    start = (("system", "be brief"), ("user", [{"type": "text", "text": "hi"}]))

    one, later = prefix(saying(*start)), prefix(saying(*start, ("assistant", "hello"), ("user", "more")))
    others = {
        prefix(saying(("system", "be long"), start[1])),
        prefix(saying(start[0], ("user", "ho"))),
        prefix(saying(start[1])),
        prefix(saying(("user", "be brief"), start[1])),
    }

    assert one == later == prefix(saying(start[0], ("user", "hi")))
    assert len({one, *others}) == 5


def test_the_prefix_of_what_is_no_chat() -> None:
    """All of its text is what calls have in common, as far as a prefix reaches."""
    prefix = COMMON["prefix"]
    asked = PlainRequest(Operation.EMBEDDINGS, "m", b"{}", text=("one", "t" * PREFIX_CHARS))

    assert prefix(msgspec.structs.replace(saying(), request=asked)) == f"one\0{asked.text[1]}"[:PREFIX_CHARS]


def test_a_long_prefix_is_cut() -> None:
    """Conversations under the same long instructions share their cache whatever they ask."""
    prefix = COMMON["prefix"]
    instructions = "x" * PREFIX_CHARS

    assert prefix(saying(("system", instructions), ("user", "a"))) == prefix(
        saying(("system", instructions + "y"), ("user", "b"))
    )


def test_a_prefix_without_text_is_none() -> None:
    """Images alone have nothing in common that is known here; the strategy decides."""
    picture = saying(("user", [{"type": "image_url", "image_url": {"url": "data:"}}]))
    around = Surroundings()
    affinity = Affinity(COMMON["prefix"], around.strategy("round_robin"), around.tools("fast"))

    assert [affinity.order(ALL, picture)[0].target for _ in range(2)] == [TARGET, OTHER]
    assert affinity.order(ALL, saying(("system", "only"), ("assistant", None))) == rendezvous("system:only", ALL)
