"""Strategies by name, the prices that one of them needs, bounds and capabilities of targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.assembly.catalogue import models
from app.assembly.routing import policies
from app.config.plugins import ROUTE_STRATEGIES, PluginError
from app.core.routing.balancing import STRATEGIES, Sequential
from tests.assembly.support import Bench
from tests.config.cases import loaded, problem
from tests.support.calls import OTHER, TARGET
from tests.support.planting import plant
from tests.support.routes import calling, candidates
from tests.support.virtual_time import VirtualClock

MODULE = """
NOTHING = None

class Backwards:
    def __init__(self, tools):
        self.tools = tools

    def order(self, candidates, call):
        return candidates[::-1]
"""
ENTRIES = """[wizard.strategies]
backwards = planted_strategy:Backwards
sequential = planted_strategy:Backwards
broken = planted_strategy:Missing
gone = no_such_module:Any
nothing = planted_strategy:NOTHING
"""
OWN = ", own: {targets: [{provider: s, model: m}]}}"


def route(strategy: str, *targets: str) -> str:
    """Write a route with a strategy; each of `targets` is the inside of a target of provider s."""
    written = ", ".join(f"{{provider: s, {target}}}" for target in targets or ("model: m",))
    return f"providers: {{s: {{kind: sim}}}}\nmodels: {{fast: {{strategy: {strategy}, targets: [{written}]}}}}"


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with strategies that work and strategies that do not."""
    plant(tmp_path / "site", "planted_strategy", MODULE, ENTRIES)
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "cost"])
def test_every_built_strategy_can_be_named(tmp_path: Path, name: str) -> None:
    """The gateway's own strategies need nothing but their name."""
    assert loaded(tmp_path, route(name)).settings.models["fast"].strategy == name


def test_an_unknown_strategy_is_a_problem(tmp_path: Path) -> None:
    """A typing mistake gets a suggestion; an unknown word the hint at packages."""
    mistyped, unknown = problem(tmp_path, route("least_bussy")), problem(tmp_path, route("magic"))

    assert (mistyped.path, mistyped.value) == ("models.fast.strategy", "'least_bussy'")
    assert mistyped.expected == "one of sequential, weighted, round_robin, least_busy, latency, cost"
    assert mistyped.suggestion == "did you mean least_busy?"
    assert (
        unknown.suggestion
        == "choose one of these, or install the package that offers it (entry points of wizard.strategies)"
    )


@pytest.mark.parametrize("written", ["[weighted]", "'no spaces'", "3"])
def test_a_strategy_is_a_name(tmp_path: Path, written: str) -> None:
    """Whatever is no name is told so, without looking for it."""
    assert problem(tmp_path, route(written)).expected == "the name of a strategy"


@pytest.mark.usefixtures("planted")
def test_an_installed_strategy_can_be_named(tmp_path: Path) -> None:
    """A package's entry point is known by its name, and wins over none of the gateway's own."""
    settings = loaded(tmp_path, route("backwards")[:-1] + OWN).settings

    policy = policies(settings, Bench(VirtualClock()).deps, models(settings))
    ordered = policy["fast"].strategy.order(candidates(TARGET, OTHER), calling())

    assert [candidate.target for candidate in ordered] == [OTHER, TARGET]
    assert isinstance(policy["own"].strategy, Sequential)
    assert ROUTE_STRATEGIES.names == (*STRATEGIES, "backwards", "broken", "gone", "nothing")


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "its entry point planted_strategy:Missing cannot be imported (AttributeError)"),
        ("gone", "its entry point no_such_module:Any cannot be imported (ModuleNotFoundError)"),
        ("nothing", "its entry point planted_strategy:NOTHING is nothing that can be called"),
    ],
)
def test_a_strategy_that_does_not_work_is_a_problem(tmp_path: Path, name: str, reason: str) -> None:
    """What is installed badly is found when the configuration is read, not by a call."""
    found = problem(tmp_path, route(name))

    assert (found.value, found.expected) == (repr(name), f"a strategy that works: {reason}")
    assert found.suggestion == "repair or reinstall its package"
    with pytest.raises(PluginError, match="entry point"):
        ROUTE_STRATEGIES.load(name)


def test_cost_needs_no_prices(tmp_path: Path) -> None:
    """A route may choose by price before every price is known: the targets without one are the last."""
    found = loaded(tmp_path, route("cost", "model: a, input_usd_per_mtok: 1", "model: b")).settings

    assert found.models["fast"].strategy == "cost"


@pytest.mark.parametrize(
    ("target", "field", "expected"),
    [
        ("model: m, weight: 0", "weight", "a number > 0 and <= 1000000"),
        ("model: m, input_usd_per_mtok: -1", "input_usd_per_mtok", "a number >= 0 and <= 1000000, or null"),
        ("model: m, context_window: 0", "context_window", "a whole number >= 1 and <= 1000000000, or null"),
        ("model: m, max_in_flight: yes", "max_in_flight", "a whole number >= 1 and <= 1000000000, or null"),
        ("model: m, capabilities: tools", "capabilities", "a list of tools, vision, json_schema, audio, or null"),
    ],
)
def test_wrong_values_of_a_target_are_explained(tmp_path: Path, target: str, field: str, expected: str) -> None:
    """Each setting of a target says what it accepts."""
    found = problem(tmp_path, route("sequential", target))

    assert (found.path, found.expected) == (f"models.fast.targets[0].{field}", expected)


def test_an_unknown_capability_gets_a_suggestion(tmp_path: Path) -> None:
    """A mistyped capability would silently close the target for requests that need it."""
    found = problem(tmp_path, route("sequential", "model: m, capabilities: [tool]"))

    assert (found.path, found.suggestion) == ("models.fast.targets[0].capabilities[0]", "did you mean tools?")


def test_a_target_has_one_bound(tmp_path: Path) -> None:
    """The bound belongs to the target: routes that share it must agree, or leave it to one of them."""
    text = """
providers: {s: {kind: sim}}
models:
  one: {targets: [{provider: s, model: m, max_in_flight: 5}]}
  two: {targets: [{provider: s, model: m}, {provider: s, model: n, max_in_flight: 9}]}
  six: {targets: [{provider: s, model: n}, {provider: s, model: m, max_in_flight: 6}]}
"""

    found = problem(tmp_path, text)

    assert (found.path, found.value) == ("models.six.targets[1].max_in_flight", "6")
    assert found.expected == "5, as route one has it for the same target"
    assert loaded(tmp_path, text.replace("6}", "5}")).settings.models["six"].targets[1].max_in_flight == 5


@pytest.mark.parametrize("written", ["[]", "null", "[409]", "[timeout, target_failed, 503]", "['503']"])
def test_retried_errors_are_words_and_statuses(tmp_path: Path, written: str) -> None:
    """Families, codes and statuses can stand in one list; an empty one is allowed, and null is the default."""
    found = loaded(tmp_path, f"retry: {{errors: {written}}}").settings.retry.errors

    assert found == (None if written == "null" else frozenset(written.strip("[]").replace("'", "").split(", ")) - {""})


@pytest.mark.parametrize(
    ("written", "path", "suggestion"),
    [
        ("[timeuot]", "retry.errors[0]", "did you mean timeout?"),
        ("[409, 200]", "retry.errors[1]", "correct it"),
        ("[600]", "retry.errors[0]", "correct it"),
        ("[invalid_request]", "retry.errors[0]", "correct it"),
    ],
)
def test_wrong_retried_errors_are_explained(tmp_path: Path, written: str, path: str, suggestion: str) -> None:
    """What could never be retried, or is no failure, is refused with what is possible."""
    found = problem(tmp_path, f"retry: {{errors: {written}}}")

    assert found.path == path
    assert found.expected.startswith("a status from 400 to 599, or one of rate_limit, network, ")
    assert found.suggestion == suggestion


def test_retried_errors_are_a_list(tmp_path: Path) -> None:
    """A single word is not taken for a list of one."""
    found = problem(tmp_path, "retry: {errors: timeout}")

    assert (found.path, found.value) == ("retry.errors", "(a text)")
    assert found.expected == 'a list of failures to try again, such as ["network", "target_failed", 503], or null'


@pytest.mark.parametrize("affinity", ["none", "session", "user", "prefix"])
def test_every_affinity_can_be_named(tmp_path: Path, affinity: str) -> None:
    """An affinity goes with any strategy."""
    text = route(f"latency, affinity: {affinity}")

    assert loaded(tmp_path, text).settings.models["fast"].affinity == affinity


def test_an_unknown_affinity_is_a_problem(tmp_path: Path) -> None:
    """A typing mistake gets a suggestion."""
    found = problem(tmp_path, route("weighted, affinity: prefx"))

    assert (found.path, found.expected) == ("models.fast.affinity", "one of none, session, user, prefix")
    assert found.suggestion == "did you mean prefix?"
