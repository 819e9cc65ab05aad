"""Turn results into the Markdown that `make bench` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from loadtests.contestants import DIRECT, FLOOR, UVICORN, WIZARD
from loadtests.results import InProcess, Results, StreamRounds, UnaryRounds
from loadtests.stats import Spread, ratio, spread
from loadtests.yardstick import QUIET_US

REQUEST_BUDGET_US: Final = 60.0
EVENT_BUDGET_US: Final = 5.0
START_BUDGET_S: Final = 2.0
MEMORY_BUDGET_MIB: Final = 80 * 1e6 / 2**20
"""80 MB, without the local model."""

_NONE: Final = "-"

R = TypeVar("R")


def render(results: Results) -> str:
    """Write the whole report."""
    parts = [_preface(results)]
    parts += [_unary(concurrency, rows, results.plan.more_bytes) for concurrency, rows in results.unary.items()]
    parts += [_streams(results), _first_token(results.first_token), _split(results), _memory(results)]
    parts += [_budgets(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _preface(results: Results) -> str:
    machine, plan = results.machine, results.plan
    cores = "contestants on a core of their own" if machine.pinned else "NOT pinned: contestants share their cores"
    return (
        f"# Benchmark\n\n{machine.system}, Python {machine.python}, {machine.cores} cores ({cores}), load average "
        f"{machine.load:.1f} at the start. {plan.rounds} interleaved rounds of {plan.seconds:g} s; medians, then the "
        "lowest and the highest round; ratios are medians of the pairs of each round. Other work on the machine moves "
        "every absolute figure: compare within one table, by the ratios; the lowest round is nearest the true cost."
    )


def _unary(concurrency: int, rows: UnaryRounds, more_bytes: int) -> str:
    floor = [one.cpu_us for one in rows.get(FLOOR, ())]
    header = ["contestant", "CPU µs/request", "x floor", "requests/s", "p50 ms", "p99 ms", "errors"]
    lines = []
    for name, rounds in rows.items():
        cpu = [one.cpu_us for one in rounds]
        figures = [
            _range(spread(cpu)),
            _number(ratio(cpu, floor), 2),
            _median(_over(rounds, lambda one: one.rps), 0),
            _median(_over(rounds, lambda one: one.p50_ms), 2),
            _median(_over(rounds, lambda one: one.p99_ms), 2),
            str(sum(one.errors for one in rounds)),
        ]
        lines.append([name, *figures])
    longer = f", prompts longer by {more_bytes} bytes" if more_bytes else ""
    return _table(f"Unary, {concurrency} at a time{longer}", header, lines)


def _streams(results: Results) -> str:
    rows, plan = results.streams, results.plan
    floor = [one.cpu_us for one in rows.get(FLOOR, ())]
    header = [
        "contestant",
        "CPU µs/chunk",
        "x floor",
        "chunks/s",
        "first token p50 ms",
        "chunk age p50 / p99 ms",
        "errors",
    ]
    lines = []
    for name, rounds in rows.items():
        cpu = [one.cpu_us for one in rounds]
        ages = [_median(_over(rounds, lambda one: one.chunk_p50_ms), 2)]
        ages += [_median(_over(rounds, lambda one: one.chunk_p99_ms), 2)]
        figures = [
            _range(spread(cpu)),
            _number(ratio(cpu, floor), 2),
            _median(_over(rounds, lambda one: one.chunks_per_s), 0),
            _median(_over(rounds, lambda one: one.first_p50_ms), 2),
            " / ".join(ages),
            str(sum(one.errors for one in rounds)),
        ]
        lines.append([name, *figures])
    return _table(f"Streams, {plan.streams} at a time, {plan.tokens} chunks each", header, lines)


def _first_token(rows: StreamRounds) -> str:
    direct = _over(rows.get(DIRECT, ()), lambda one: one.first_p50_ms)
    header = ["contestant", "first token p50 ms", "added to direct ms", "p99 ms", "errors"]
    lines = []
    for name, rounds in rows.items():
        first = _over(rounds, lambda one: one.first_p50_ms)
        added = first.median - direct.median if first and direct else None
        figures = [_range(first, 2), _number(added, 2), _median(_over(rounds, lambda one: one.first_p99_ms), 2)]
        lines.append([name, *figures, str(sum(one.errors for one in rounds))])
    return _table("Time to first token, one stream at a time", header, lines)


def _split(results: Results) -> str:
    """Show which part of the gateway's CPU time is the server's, the upstream client's and ours."""
    if not results.unary:
        return ""
    concurrency, rows = list(results.unary.items())[-1]
    floor = [one.cpu_us for one in rows.get(FLOOR, ())]
    client, own = results.adapter, results.own_code
    parts: dict[str, Sequence[float | None]] = {
        "server (uvicorn alone)": [one.cpu_us for one in rows.get(UVICORN, ())],
        "our code (in process)": own.request_us if own else (),
        "upstream client (in process)": client.request_us if client else (),
        "the gateway as measured": [one.cpu_us for one in rows.get(WIZARD, ())],
    }
    lines = [[name, _range(spread(figures)), _number(ratio(figures, floor), 2)] for name, figures in parts.items()]
    for name, alone in (("our code", own), ("upstream client", client)):
        if alone is not None:
            lines.append([f"{name}, a stream of one chunk", _range(spread(alone.stream_us)), _NONE])
            lines.append([f"{name}, each further chunk", _range(spread(alone.event_us)), _NONE])
    return _table(f"Where the CPU time goes, {concurrency} at a time", ["part", "CPU µs", "x floor"], lines)


def _memory(results: Results) -> str:
    lines = [[name, f"{one.idle_mib:.0f}", f"{one.loaded_mib:.0f}"] for name, one in results.memory.items()]
    return _table("Resident memory, MiB", ["contestant", "after start", "after the load"], lines)


def _budgets(results: Results) -> str:
    own = results.own_code
    if own is None:
        return ""
    start = spread(one.first_answer_s for one in results.startup)
    idle = spread(one.idle_mib for one in results.startup)
    rows = [
        ("our code, CPU µs/unary request", spread(own.request_us), _at_rest(own.request_us, own), REQUEST_BUDGET_US),
        (
            "our code, CPU µs/stream of one chunk",
            spread(own.stream_us),
            _at_rest(own.stream_us, own),
            REQUEST_BUDGET_US,
        ),
        ("our code, CPU µs/streamed event", spread(own.event_us), _at_rest(own.event_us, own), EVENT_BUDGET_US),
        ("start to first answer, s", start, start, START_BUDGET_S),
        ("resident memory when idle, MiB", idle, idle, MEMORY_BUDGET_MIB),
    ]
    lines = [
        [name, _range(raw, 2), _range(figure, 2), f"{budget:.0f}", "met" if figure.median <= budget else "MISSED"]
        for name, raw, figure, budget in rows
        if figure is not None
    ]
    table = _table("Budgets", ["figure", "measured", "at rest", "at most", "verdict"], lines)
    yardstick, cpu_s = spread(own.yardstick_us), spread(one.cpu_s for one in results.startup)
    return (
        f"{table}\n\nThe yardstick, a task that does nothing, took {_range(yardstick, 2)} CPU µs meanwhile; on the "
        f"quiet machine of the budgets it takes {QUIET_US}. *At rest* is what was measured, divided by that slowness. "
        f"A start took {_range(cpu_s, 2)} s of CPU time."
    )


def _at_rest(figures: Sequence[float], own: InProcess) -> Spread | None:
    """Bring CPU times to the speed of the quiet machine, round by round."""
    return spread(figure * QUIET_US / yardstick for figure, yardstick in zip(figures, own.yardstick_us, strict=True))


def _over(rounds: Sequence[R], pick: Callable[[R], float | None]) -> Spread | None:
    return spread(pick(one) for one in rounds)


def _table(title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return f"## {title}\n\n" + "\n".join(_line(cells) for cells in (header, rule, *lines))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _range(figure: Spread | None, digits: int = 1) -> str:
    if figure is None:
        return _NONE
    return f"{figure.median:.{digits}f} ({figure.low:.{digits}f}-{figure.high:.{digits}f})"


def _median(figure: Spread | None, digits: int) -> str:
    return _number(figure.median if figure else None, digits)


def _number(figure: float | None, digits: int) -> str:
    return _NONE if figure is None else f"{figure:.{digits}f}"
