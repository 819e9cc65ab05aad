"""The figures of the benchmark: how they are summarised, chosen and printed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.config.load import load
from loadtests import bench, report
from loadtests.gateways import BARE, EVERYTHING, QUIET, Settings, config_file
from loadtests.results import InProcess, Machine, Memory, Results, Startup
from loadtests.rounds import StreamRound, UnaryRound
from loadtests.stats import Spread, percentile, quotient, ratio, spread
from loadtests.yardstick import QUIET_US


def some_results(own_us: float) -> Results:
    """Make results of two contestants in two rounds; our own code took `own_us` per request."""
    unary = {
        name: [UnaryRound(cpu_us=cpu, rps=1000.0, p50_ms=1.0, p99_ms=2.0, errors=0) for cpu in rounds]
        for name, rounds in {"direct": (None, None), "floor": (20.0, 40.0), "wizard": (40.0, 120.0)}.items()
    }
    stream = StreamRound(20.0, 6400.0, 1.0, 2.0, 0.2, 0.5, 0)
    return Results(
        plan=bench.QUICK,
        machine=Machine(python="3.11.7", system="Linux", cores=2, pinned=True, load=0.1),
        unary={32: unary},
        streams={"floor": [stream]},
        first_token={"direct": [msgspec.structs.replace(stream, first_p50_ms=0.25)], "floor": [stream]},
        memory={"floor": Memory(30.0, 31.0)},
        startup=[Startup(0.9, 0.7, 55.0)],
        own_code=InProcess(request_us=(own_us,), stream_us=(own_us,), event_us=(2.0,), yardstick_us=(2 * QUIET_US,)),
        adapter=None,
    )


def test_spread_is_median_lowest_and_highest() -> None:
    """
    Rounds without a figure are left out.
    """
    assert spread([3.0, None, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([None]) is None


@pytest.mark.parametrize(
    ("figures", "share", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0], 0.0, 1.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_percentile_is_a_figure_that_occurred(figures: list[float], share: float, expected: float | None) -> None:
    """
    The nearest rank is taken, never a value between two.
    """
    assert percentile(figures, share) == expected


def test_ratio_pairs_the_rounds() -> None:
    """
    A slow round slows both sides of its pair, so the median ratio is unmoved by it.
    """
    assert ratio([40.0, 400.0, 42.0], [20.0, 200.0, 20.0]) == 2.0
    assert ratio([40.0], []) is None
    assert ratio([40.0], [0.0]) is None


def test_quotient_of_nothing_is_no_figure() -> None:
    """
    A round without a single answer has no cost per answer.
    """
    assert quotient(1.0, 4) == 0.25
    assert quotient(1.0, 0) is None
    assert quotient(None, 4) is None


def test_report_gives_ratios_added_latency_and_verdicts() -> None:
    """
    The tables hold the paired ratio to the floor, the time added to direct, and which budget is missed at rest.
    """
    text = report.render(some_results(own_us=150.0))

    assert "| wizard | 80.0 (40.0-120.0) | 2.50 | 1000 |" in text
    assert "| floor | 1.00 (1.00-1.00) | 0.75 |" in text
    assert "| our code, CPU µs/unary request | 150.00 (150.00-150.00) | 75.00 (75.00-75.00) | 60 | MISSED |" in text
    assert "| start to first answer, s | 0.90 (0.90-0.90) | 0.90 (0.90-0.90) | 2 | met |" in text


def test_results_survive_the_json_file() -> None:
    """
    What is written as JSON can be read back and reported again.
    """
    results = some_results(own_us=30.0)

    back = msgspec.json.decode(msgspec.json.encode(results), type=Results)

    assert report.render(back) == report.render(results)


def test_options_change_the_plan() -> None:
    """
    Options override the preset they are combined with.
    """
    plan, file = bench.options(
        ["--quick", "--rounds", "3", "--concurrency", "1,8", "--contestants", "naive,floor", "--json", "out.json"]
    )

    expected = msgspec.structs.replace(bench.QUICK, rounds=3, concurrency=(1, 8), contestants=("floor", "naive"))
    assert plan == expected
    assert file == Path("out.json")


def test_options_refuse_an_unknown_contestant(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A misspelt contestant ends the program and is named.
    """
    with pytest.raises(SystemExit):
        bench.options(["--contestants", "nobody"])

    assert "unknown: nobody" in capsys.readouterr().err


@pytest.mark.parametrize("settings", [{}, QUIET, BARE, EVERYTHING], ids=["default", "quiet", "bare", "everything"])
def test_a_gateway_is_configured_as_it_is_measured(tmp_path: Path, settings: Settings) -> None:
    """
    The generated file is valid, and names the port, the mock and what comes on top.
    """
    loaded = load(config_file(tmp_path, settings, 8001, 9001), {}).settings

    assert loaded.server.port == 8001
    assert loaded.providers["mock"].base_url == "http://127.0.0.1:9001/v1"
    assert bool(loaded.keys) is ("keys" in settings)
    assert loaded.cache.enabled is ("cache" in settings)
    assert loaded.metrics.enabled is ("metrics" not in settings)
