"""From a call to its targets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import CONTEXT_TOO_LONG, UNKNOWN_MODEL, UNSUPPORTED_FEATURE, GatewayError
from app.core.routing.balancing import STRATEGIES
from app.core.routing.candidates import Candidate
from app.core.routing.router import Router
from tests.support.calls import OTHER, TARGET, THIRD
from tests.support.routes import Surroundings, calling, candidates, routed

FOURTH = Target("dune", "old")
TOOLS = [{"type": "function", "function": {"name": "f"}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}]
LONG = [{"role": "user", "content": "x" * 4000}]


def refusal(router: Router, **fields: Any) -> GatewayError:  # noqa: ANN401 - JSON
    """Route a call that nobody can serve, and return its failure."""
    with pytest.raises(GatewayError) as caught:
        router(calling(**fields))
    return caught.value


def test_an_own_order_and_then_the_fallbacks() -> None:
    """A strategy orders its route's own targets; the fallbacks stay behind them, each step in its own order."""
    router = Surroundings().router(
        {
            "fast": ("round_robin", candidates(TARGET, OTHER), ["big"]),
            "big": ("round_robin", candidates(THIRD, FOURTH), []),
        }
    )

    first, second = routed(router, calling()), routed(router, calling())

    assert first == [TARGET, OTHER, THIRD, FOURTH]
    assert second == [OTHER, TARGET, FOURTH, THIRD]


def test_a_fallback_that_was_not_needed_has_had_no_turn() -> None:
    """A step is put in order when a call reaches it: calls that never do leave it alone."""
    router = Surroundings().router(
        {"fast": ("sequential", candidates(TARGET), ["big"]), "big": ("round_robin", candidates(THIRD, FOURTH), [])}
    )

    for _ in range(3):
        router(calling())[0]
    served = routed(router, calling("big"))

    assert served == [THIRD, FOURTH]


def test_a_target_is_asked_for_again() -> None:
    """Looking at a target twice, or at a late one first, shows the same order."""
    targets = Surroundings().router({"fast": ("round_robin", candidates(TARGET, OTHER), ["cloud/huge"])})(calling())

    late, early, late_again = targets[2], targets[0], targets[2]

    assert (late, early, late_again, targets[1]) == (THIRD, TARGET, THIRD, OTHER)
    with pytest.raises(IndexError):
        targets[3]


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_no_fallback_means_one_target(strategy: str) -> None:
    """A caller who wants no fallback gets the one that the strategy puts first."""
    router = Surroundings().router({"fast": (strategy, candidates(TARGET, OTHER), ["cloud/huge"])})

    targets = router(calling(fallback=False))

    assert len(targets) == 1
    assert targets[0] in {TARGET, OTHER}
    with pytest.raises(IndexError):
        targets[1]


def test_direct_names_and_unknown_ones() -> None:
    """What is no route is looked up as provider/model, or refused."""
    router = Surroundings().router({"fast": ("weighted", candidates(TARGET, OTHER), [])})

    assert routed(router, calling("cloud/huge")) == [THIRD]
    assert refusal(router, model="nobody").kind is UNKNOWN_MODEL


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(
            st.sampled_from(list(STRATEGIES)),
            st.lists(st.sampled_from((TARGET, OTHER, THIRD, FOURTH)), min_size=1, max_size=4),
            st.lists(st.sampled_from([*"abcde", "dune/old"]), max_size=4),
        ),
        min_size=1,
    ),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_route_is_a_trap(drawn: dict[str, tuple[str, list[Target], list[str]]], seed: int) -> None:
    """Over routes in any circle, with any strategies, every call ends, tries its own targets first and none twice."""
    routes = {name: (strategy, candidates(*targets), onward) for name, (strategy, targets, onward) in drawn.items()}
    router = Surroundings(seed).router(routes)

    for name, (_, targets, _) in drawn.items():
        found = routed(router, calling(name))

        assert len(found) == len(set(found))
        assert set(found[: len(set(targets))]) == set(targets)


def test_targets_that_cannot_serve_are_passed_by() -> None:
    """Tools, images, schemas and length choose among the targets; a plain request may go anywhere."""
    plain = Candidate(TARGET, capabilities=frozenset(), context_window=100)
    sees = Candidate(OTHER, capabilities=frozenset({"vision"}))
    router = Surroundings().router({"fast": ("sequential", [plain, sees], ["cloud/huge"])})

    assert routed(router, calling()) == [TARGET, OTHER, THIRD]
    assert routed(router, calling(messages=IMAGE)) == [OTHER, THIRD]
    assert routed(router, calling(tools=TOOLS)) == [THIRD]
    assert routed(router, calling(messages=LONG)) == [OTHER, THIRD]
    assert routed(router, calling(max_tokens=101)) == [OTHER, THIRD]
    assert routed(router, calling(messages=IMAGE, fallback=False)) == [OTHER]


def test_strategies_choose_among_the_able() -> None:
    """A target that cannot serve takes no turn."""
    blind = Candidate(TARGET, capabilities=frozenset())
    router = Surroundings().router({"fast": ("round_robin", [blind, *candidates(OTHER, THIRD)], [])})

    firsts = [routed(router, calling(tools=TOOLS))[0] for _ in range(4)]

    assert firsts == [OTHER, THIRD, OTHER, THIRD]


def test_what_nobody_can_do_is_named() -> None:
    """If no target is left the caller is told what each of them lacks, and which field asks for it."""
    router = Surroundings().router(
        {
            "fast": (
                "sequential",
                [Candidate(TARGET, capabilities=frozenset({"vision"})), Candidate(OTHER, capabilities=frozenset())],
                [],
            )
        }
    )

    tools, both = refusal(router, tools=TOOLS), refusal(router, messages=IMAGE, tools=TOOLS)

    assert (tools.kind, tools.param) == (UNSUPPORTED_FEATURE, "tools")
    assert tools.message == (
        "No target of 'fast' can serve this request: acme/small has no tools; box/large has no tools."
    )
    assert (both.kind, both.param) == (UNSUPPORTED_FEATURE, None)
    assert both.message.endswith("acme/small has no tools; box/large has no tools and no vision.")


def test_what_is_too_long_for_all_is_named() -> None:
    """If length is all that stands in the way of some target, the caller is told to shorten."""
    router = Surroundings().router(
        {
            "fast": (
                "sequential",
                [
                    Candidate(TARGET, context_window=100),
                    Candidate(OTHER, capabilities=frozenset(), context_window=200),
                ],
                [],
            )
        }
    )

    error = refusal(router, messages=LONG, max_tokens=24, tools=TOOLS)

    assert (error.kind, error.param) == (CONTEXT_TOO_LONG, "messages")
    assert error.message == (
        "No target of 'fast' can serve this request: acme/small takes 100 tokens of about 912; "
        "box/large has no tools and takes 200 tokens of about 912."
    )


def test_a_refusal_stays_readable() -> None:
    """Of many targets the first five are told, and how many more there are."""
    small = [Candidate(Target("acme", f"m{number}"), context_window=1) for number in range(8)]
    router = Surroundings().router({"fast": ("sequential", small, [])})

    message = refusal(router, messages=LONG).message

    assert "acme/m4" in message
    assert "acme/m5" not in message
    assert message.endswith(", and 3 more.")


def test_of_two_entries_for_one_target_the_first_counts() -> None:
    """A target that stands twice in a route is one target, with what the first entry says."""
    twice = [Candidate(TARGET, capabilities=frozenset()), Candidate(TARGET), Candidate(OTHER)]
    router = Surroundings().router({"fast": ("sequential", twice, [])})

    assert routed(router, calling(tools=TOOLS)) == [OTHER]


@pytest.mark.parametrize(
    ("strategy", "found"), [("sequential", {TARGET}), ("round_robin", {TARGET, OTHER}), ("cost", {TARGET, OTHER})]
)
def test_the_targets_that_may_come_first_are_known_before_the_choice(strategy: str, found: set[Target]) -> None:
    """They are the first of a fixed order, or all that a strategy chooses among; nobody loses a turn."""
    router = Surroundings().router({"fast": (strategy, candidates(TARGET, OTHER), ["cloud/huge"])})

    first = router.first(calling())
    tried = router(calling())[0]

    assert (set(first), tried) == (found, TARGET)


def test_a_direct_name_comes_first_by_itself() -> None:
    """Whatever it names, as long as its provider is known."""
    router = Surroundings().router({"fast": ("sequential", candidates(TARGET), [])})

    assert tuple(router.first(calling("box/other"))) == (Target("box", "other"),)
    with pytest.raises(GatewayError, match="nowhere"):
        router.first(calling("nowhere"))


def test_only_targets_that_can_serve_a_call_come_first() -> None:
    """Of steps with targets for anything, the first that is left."""
    able = Candidate(OTHER, capabilities=frozenset({"tools"}))
    unable = Candidate(TARGET, capabilities=frozenset())
    router = Surroundings().router({"fast": ("sequential", [unable, able], [])})

    assert tuple(router.first(calling(tools=TOOLS))) == (OTHER,)
