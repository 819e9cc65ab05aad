"""The objectives, and what is measured for them. That a figure is good is nothing for a test: `make slo` says it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests import occupancy, slo
from loadtests.contestants import gateway_argv
from loadtests.objectives import OBJECTIVES, Objective, failed, render
from loadtests.occupancy import Gateway
from loadtests.processes import Cores, Fleet, free_port, wait_for_answer

GOOD = {each.key: each.bound for each in OBJECTIVES}


def test_a_figure_at_its_bound_passes() -> None:
    """The table has each objective with its figure, its bound and a verdict."""
    table = render(GOOD)

    assert failed(GOOD) == []
    assert table.count("pass") == len(OBJECTIVES)
    assert "| unary requests on one core | 1,000 /s | >= 1000 /s | pass |" in table


def test_a_worse_figure_and_a_missing_one_fail() -> None:
    """One above its bound, one below the least, and one that could not be taken."""
    bad = {**GOOD, "idle_mb": 80.1, "requests_per_s": 999.0}
    del bad["start_s"]

    missed = failed(bad)

    assert missed == ["unary requests on one core", "memory at rest", "start to the first answer"]
    assert render(bad).count("FAIL") == len(missed)


@pytest.mark.parametrize(("figure", "met"), [(1.0, True), (2.0, True), (3.0, False)])
def test_at_most(figure: float, met: bool) -> None:
    """A bound is met at most, unless it says at least."""
    objective = Objective("x", "x", 2.0, "ms")

    assert objective.is_met(figure) is met


async def test_figures_of_a_running_gateway(tmp_path: Path) -> None:
    """Sessions talk at the same time without a failure, and things have a size; few of each, and no bound."""
    cores = Cores(None, None)
    mock, port = free_port(), free_port()
    config = tmp_path / "slo.yaml"
    config.write_text(slo.CONFIG.format(port=port, mock=mock))
    with Fleet() as fleet:
        fleet.start([sys.executable, "-m", "loadtests.upstream", "--port", str(mock)], core=cores.rest)
        server = fleet.start(gateway_argv(config, port), core=cores.tested)
        wait_for_answer(server, port, occupancy.warm_request())
        gateway = Gateway(server, port)
        try:
            errors = await occupancy.session_errors(gateway, 5)
            sizes = [await occupancy.session_kb(gateway, 5), await occupancy.cached_kb(gateway, 5)]
            sizes += [await occupancy.client_kb(gateway, 5)]
        finally:
            await gateway.aclose()

    assert errors == 0
    assert all(size >= 0 for size in sizes)
