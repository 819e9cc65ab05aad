"""Routes with a star in their names: which of them a name leads to, and which targets that makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import CONTEXT_TOO_LONG, UNKNOWN_MODEL, GatewayError
from app.core.routing.balancing import Sequential, Tools
from app.core.routing.candidates import Candidate
from app.core.routing.router import Policy, Router
from app.core.routing.table import Route, RoutingTable
from app.core.routing.wildcards import Wildcards, filled
from app.core.traffic.memory import Traffic
from tests.support.calls import a_call, asking
from tests.support.virtual_time import VirtualClock

TOOLS = Tools("route", VirtualClock(), lambda: 0.5, Traffic())
ROUTES = {
    "fast": Route((Target("box", "small"),)),
    "gpt-*": Route((Target("openai", "gpt-*"), Target("box", "clone-*")), ("azure/*", "fast")),
    "gpt-4*": Route((Target("openai", "four*"),)),
    "*-mini": Route((Target("box", "mini"),)),
    "openai/*": Route((Target("openai", "*"),)),
    "*": Route((Target("box", "*"),)),
}
MODELS: dict[str, tuple[str, ...]] = {"openai": ("gpt-4o",), "box": (), "azure": ()}


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("fast", ["box/small"]),
        ("gpt-5", ["openai/gpt-5", "box/clone-5", "azure/5", "box/small"]),
        ("gpt-4o", ["openai/fouro"]),
        ("o4-mini", ["box/mini"]),
        ("openai/x/y", ["openai/x/y"]),
        ("azure/dep", ["azure/dep"]),
        ("box:small", ["box/small"]),
        ("whatever", ["box/whatever"]),
        ("gpt-", ["box/gpt-"]),
    ],
)
def test_the_closest_route_counts(name: str, targets: list[str]) -> None:
    """Exact names come first, then the star with the most letters beside it, then providers, and the bare star last."""
    routing = RoutingTable(ROUTES, MODELS)

    assert [target.name for target in routing.targets(name)] == targets


def test_stars_are_found_but_not_listed() -> None:
    """A name that fits a star is a model of the gateway; the patterns themselves are none."""
    routing = RoutingTable(ROUTES, MODELS)

    assert [listed.id for listed in routing.listed()] == ["fast", "openai/gpt-4o", "box/small", "box/mini"]
    assert routing.find("gpt-5").owner == "wizard"
    assert (routing.matched("gpt-5"), routing.matched("fast"), routing.matched("azure/x")) == (True, False, False)


def test_without_a_star_unknown_names_stay_unknown() -> None:
    """Only what fits is taken."""
    routing = RoutingTable({"gpt-*": ROUTES["gpt-*"]}, MODELS)

    with pytest.raises(GatewayError) as caught:
        routing.targets("claude")

    assert caught.value.kind is UNKNOWN_MODEL


def test_discovered_models_are_listed() -> None:
    """What providers said to have is listed behind what is configured, each once, as long as they are configured."""
    discovered = {"openai": ("gpt-4o", "gpt-5"), "gone": ("x",)}
    routing = RoutingTable({}, MODELS, discovered)

    first = [listed.id for listed in routing.listed()]
    discovered["openai"] = ()

    assert first == ["openai/gpt-4o", "openai/gpt-5"]
    assert [listed.id for listed in routing.listed()] == ["openai/gpt-4o"]


def test_candidates_keep_what_is_configured() -> None:
    """Weights, windows and the like of a target with a star hold for every name."""
    candidates = (Candidate(Target("openai", "gpt-*"), context_window=10), Candidate(Target("box", "clone-*")))
    router = Router(RoutingTable(ROUTES, MODELS), {"gpt-*": Policy(Sequential(TOOLS), candidates)})

    short = router(a_call(asking("hi", model="gpt-5")))
    long = router(a_call(asking("x" * 400, model="gpt-5")))

    assert [short[place].name for place in range(len(short))][:2] == ["openai/gpt-5", "box/clone-5"]
    assert long[0].name == "box/clone-5"


def test_what_no_target_can_take_is_refused_by_the_name_that_was_asked() -> None:
    """The refusal speaks of the caller's name."""
    candidates = (Candidate(Target("openai", "four*"), context_window=10),)
    router = Router(RoutingTable(ROUTES, MODELS), {"gpt-4*": Policy(Sequential(TOOLS), candidates)})

    with pytest.raises(GatewayError) as caught:
        router(a_call(asking("x" * 400, model="gpt-4o")))

    assert caught.value.kind is CONTEXT_TOO_LONG
    assert "gpt-4o" in caught.value.message


def test_plans_are_remembered_within_bounds() -> None:
    """However many names clients make up, a route with a star answers each of them."""
    candidates = (Candidate(Target("box", "mini")),)
    router = Router(RoutingTable(ROUTES, MODELS), {"*-mini": Policy(Sequential(TOOLS), candidates)})

    for number in range(1100):
        assert router(a_call(asking(model=f"m{number}-mini")))[0].name == "box/mini"
    assert router(a_call(asking(model="m1-mini")))[0].name == "box/mini"


def test_direct_names_need_no_plan() -> None:
    """Names that fit no star go straight to their provider."""
    router = Router(RoutingTable(ROUTES, MODELS), {})

    assert router(a_call(asking(model="azure/x")))[0].name == "azure/x"


@given(st.text("ab-*/", min_size=1, max_size=8), st.text("ab-/", max_size=8))
def test_a_match_can_be_undone(pattern: str, name: str) -> None:
    """The text for the star, put in its place, gives the name again."""
    found = Wildcards([pattern]).match(name, bare=pattern == "*")

    assert found is None or (filled(pattern, found.text) == name and found.text)
