"""How a name becomes targets."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import UNKNOWN_MODEL, GatewayError
from app.core.routing.table import Listed, Route, RoutingTable

SMALL, LARGE, CODER = Target("acme", "small"), Target("acme", "large"), Target("box", "org/coder:7b")
MODELS = {"acme": ("small", "large"), "box": ("org/coder:7b",), "empty": ()}


def refusal(routing: RoutingTable, name: str) -> GatewayError:
    """Return the error with which the routing refuses a name."""
    with pytest.raises(GatewayError) as caught:
        routing.targets(name)
    assert caught.value.kind is UNKNOWN_MODEL
    assert caught.value.param == "model"
    return caught.value


def test_it_knows_its_providers() -> None:
    """Also those of which no model is known."""
    assert RoutingTable({}, MODELS).providers == ("acme", "box", "empty")


def test_a_route_yields_its_targets_and_then_its_fallbacks() -> None:
    """A route's own targets come first, then each fallback's, depth first, whatever its form."""
    routing = RoutingTable(
        {
            "fast": Route((SMALL,), ("big", "empty:any")),
            "big": Route((LARGE,), ("box/org/coder:7b",)),
        },
        MODELS,
    )

    assert routing.targets("fast") == (SMALL, LARGE, CODER, Target("empty", "any"))


def test_fallback_off_leaves_the_first_target() -> None:
    """A caller who wants no fallback gets the first target alone."""
    routing = RoutingTable({"fast": Route((SMALL, LARGE), ("box/org/coder:7b",))}, MODELS)

    assert routing.targets("fast", fallback=False) == (SMALL,)
    assert routing.targets("acme/large", fallback=False) == (LARGE,)


def test_fallbacks_in_a_circle_end() -> None:
    """Routes that fall back to each other are each walked once, and no target comes twice."""
    routing = RoutingTable(
        {"a": Route((SMALL,), ("b", "a")), "b": Route((LARGE, SMALL), ("c",)), "c": Route((CODER,), ("a", "b"))},
        MODELS,
    )

    assert routing.targets("a") == (SMALL, LARGE, CODER)
    assert routing.targets("b") == (LARGE, SMALL, CODER)
    assert routing.targets("c") == (CODER, SMALL, LARGE)


def test_a_fallback_that_leads_nowhere_is_passed_over() -> None:
    """A fallback that is neither a route nor a model of a known provider adds no target."""
    routing = RoutingTable({"fast": Route((SMALL,), ("gone", "nobody/knows", "acme/large"))}, MODELS)

    assert routing.targets("fast") == (SMALL, LARGE)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("acme/small", SMALL),
        ("acme:small", SMALL),
        ("acme/brand-new", Target("acme", "brand-new")),
        ("box/org/coder:7b", CODER),
        ("box:org/coder:7b", CODER),
        ("box/llama:70b", Target("box", "llama:70b")),
    ],
)
def test_any_model_of_a_known_provider_can_be_named(name: str, target: Target) -> None:
    """`provider/model` and `provider:model` aim at the provider, also for models that are not listed."""
    routing = RoutingTable({}, MODELS)

    assert routing.targets(name) == (target,)
    assert routing.find(name) == Listed(target.name, target.provider)


def test_a_route_goes_before_a_model_of_the_same_name() -> None:
    """A route may take the name of a provider's model, and is then what that name means everywhere."""
    routing = RoutingTable({"acme/small": Route((LARGE,))}, MODELS)

    assert routing.targets("acme/small") == (LARGE,)
    assert routing.find("acme/small") == Listed("acme/small", "wizard")
    assert [listed.id for listed in routing.listed()].count("acme/small") == 1


def test_lists_routes_and_then_models() -> None:
    """The list holds what can be named without asking a provider, routes first."""
    routing = RoutingTable({"fast": Route((SMALL,))}, MODELS)

    assert routing.listed() == [
        Listed("fast", "wizard"),
        Listed("acme/small", "acme"),
        Listed("acme/large", "acme"),
        Listed("box/org/coder:7b", "box"),
    ]
    assert routing.find("fast") == Listed("fast", "wizard")


def test_lists_what_only_a_route_names() -> None:
    """Targets and fallbacks follow what providers are known to have, each once; patterns are no models."""
    nano = Target("acme", "nano")
    routes = {
        "fast": Route((SMALL, nano), ("big", "box/huge", "acme/large")),
        "big": Route((nano,)),
        "acme/*": Route((Target("acme", "*"),), ("box/*-backup",)),
    }
    routing = RoutingTable(routes, MODELS)

    listed = [listed.id for listed in routing.listed()]

    assert listed == ["fast", "big", "acme/small", "acme/large", "box/org/coder:7b", "acme/nano", "box/huge"]


@pytest.mark.parametrize("name", ["", "/", ":", "gone", "gone/small", "gone:small", "acme", "acme/", "acme:", "/small"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """A name that is no route and has no known provider with a model behind it is refused by both ways in."""
    routing = RoutingTable({"fast": Route((SMALL,))}, MODELS)

    error = refusal(routing, name)

    assert repr(name) in error.message
    with pytest.raises(GatewayError, match="There is no model"):
        routing.find(name)


def test_a_misspelled_name_is_answered_with_near_ones() -> None:
    """The advice names up to three models spelled much alike, and still says where to look."""
    routing = RoutingTable({f"fast-{number}": Route((SMALL,)) for number in range(5)}, MODELS)

    advice = refusal(routing, "fsat-1").suggestion

    assert advice.startswith("Did you mean 'fast-1' or 'fast-")
    assert advice.count(" or 'fast-") == 2
    assert advice.endswith(UNKNOWN_MODEL.suggestion)


def test_a_model_named_without_its_provider_is_found() -> None:
    """Whoever leaves the provider out is told the full name, even if many routes are spelled alike."""
    routing = RoutingTable({f"org/coder:{number}b": Route((SMALL,)) for number in (1, 3, 9)}, MODELS)

    assert "'box/org/coder:7b'" in refusal(routing, "org/coder:7b").suggestion


def test_a_name_like_no_other_gets_the_rows_advice() -> None:
    """Where nothing is spelled alike, nothing is guessed."""
    assert refusal(RoutingTable({}, MODELS), "zzzzzz").suggestion == UNKNOWN_MODEL.suggestion


def test_a_long_name_is_shown_in_part() -> None:
    """A name of a hundred characters is quoted whole, a longer one is cut."""
    routing = RoutingTable({}, MODELS)

    assert repr("x" * 100) in refusal(routing, "x" * 100).message
    assert repr("x" * 100 + "...") in refusal(routing, "x" * 101).message


def test_a_huge_name_costs_no_search() -> None:
    """Looking for near names takes memory (and with it time) for as much of the name as is shown, not for all of it."""
    routing = RoutingTable({"fast": Route((SMALL,))}, MODELS)
    name = "x" * 1_000_000

    tracemalloc.start()
    refusal(routing, name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < len(name)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.lists(st.sampled_from((SMALL, LARGE, CODER)), max_size=3), st.lists(st.sampled_from("abcdefg"))),
    )
)
def test_every_reachable_target_comes_once(drawn: dict[str, tuple[list[Target], list[str]]]) -> None:
    """Whatever falls back to whatever, a route yields exactly the targets it can reach, each once, its own first."""
    routes = {name: Route(tuple(targets), tuple(fallbacks)) for name, (targets, fallbacks) in drawn.items()}

    routing = RoutingTable(routes, MODELS)

    for name, route in routes.items():
        reachable = {name}
        for _ in routes:
            reachable |= {onward for known in reachable & routes.keys() for onward in routes[known].fallbacks}
        expected = {target for known in reachable & routes.keys() for target in routes[known].targets}
        found = routing.targets(name)
        own = list(dict.fromkeys(route.targets))
        assert set(found) == expected
        assert len(found) == len(expected)
        assert list(found[: len(own)]) == own
