"""The settings of hedging."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.routing import Hedge
from tests.config.cases import loaded, problem


def route(hedge: str, targets: str = "{provider: s, model: a}, {provider: s, model: b}") -> str:
    """Write a route with these targets that hedges so."""
    return f"providers: {{s: {{kind: sim}}}}\nmodels: {{fast: {{targets: [{targets}], hedge: {hedge}}}}}"


def test_hedging_is_a_choice(tmp_path: Path) -> None:
    """Without a word about it a route does not hedge; with one word it does, with defaults."""
    silent = loaded(tmp_path, route("{}")).settings.models["fast"].hedge
    chosen = loaded(tmp_path, route("{enabled: true}")).settings.models["fast"].hedge

    assert not silent.enabled
    assert chosen == Hedge(enabled=True, percentile=0.95, min_s=0.05, max_s=10, budget_ratio=0.05)


@pytest.mark.parametrize(
    ("written", "field", "expected"),
    [
        ("percentile: 95", "percentile", "a number >= 0.5 and <= 0.99"),
        ("percentile: 0.4", "percentile", "a number >= 0.5 and <= 0.99"),
        ("min_s: 0", "min_s", "a number > 0 and <= 86400"),
        ("max_s: soon", "max_s", "a number > 0 and <= 86400"),
        ("budget_ratio: 5", "budget_ratio", "a number >= 0 and <= 1"),
        ("enabled: true, min_s: 3, max_s: 2", "min_s", "at most max_s, which is 2"),
    ],
)
def test_bad_values_are_explained(tmp_path: Path, written: str, field: str, expected: str) -> None:
    """Each is named with what it could be."""
    found = problem(tmp_path, route(f"{{{written}}}"))

    assert (found.path, found.expected) == (f"models.fast.hedge.{field}", expected)


@pytest.mark.parametrize("targets", ["{provider: s, model: a}", "{provider: s, model: a}, {provider: s, model: a}"])
def test_a_hedge_needs_a_second_target(tmp_path: Path, targets: str) -> None:
    """A setting that could never have an effect is refused; the same target twice is one."""
    found = problem(tmp_path, route("{enabled: true}", targets))

    assert found.path == "models.fast.hedge.enabled"
    assert found.expected == (
        "false, as this route has one target: a hedge needs another one, and fallbacks are for failures"
    )
    assert found.suggestion == "add a target that is as good, or leave hedge out"
