"""What stands in the request log, and when it is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.signals import CallStarted, InternalFault, LocalModelChanged, Signal
from app.core.usage import Usage
from app.telemetry.events import SILENT, SPECS, events, severity
from app.telemetry.logs import FLUSH_AT, Level, LogBook
from app.telemetry.rendering import LINE_MAX_BYTES, TRACE_MAX_BYTES, VALUE_MAX_BYTES, LineFormat, renderer
from tests.telemetry.examples import (
    CLOSED,
    DEGRADED,
    DRAIN_ENDED,
    DRAIN_STARTED,
    ENDED,
    FAULT,
    FELL_BACK,
    HALF_OPENED,
    HEDGE,
    HEDGE_ENDED,
    KEY_SET_ASIDE,
    LEFT,
    LOCAL_MODEL,
    OPENED,
    OVERLOADED,
    REFUSED,
    REJECTED,
    RELOADED,
    RESTORED,
    RESUMED,
    RETRY,
    SIGNALS,
    STARTED,
    STREAM_STARTED,
    WORKER_REPLACED,
    Blocks,
    FixedClock,
    StalledFile,
    ended,
    failed,
)

LOGGED: tuple[Signal, ...] = (
    STARTED,
    STREAM_STARTED,
    RETRY,
    FELL_BACK,
    HEDGE,
    HEDGE_ENDED,
    ENDED,
    ended(outcome="abandoned", status=200, usage=None, stream=True, first_token_s=0.25),
    failed("target_busy", "overloaded", 503, attempts=3, position=1),
    failed("internal", "internal", 500, provider="", target_model="", attempts=0),
    REFUSED,
    FAULT,
    KEY_SET_ASIDE,
    LOCAL_MODEL,
    LocalModelChanged("died", "exited"),
    OPENED,
    HALF_OPENED,
    CLOSED,
    DEGRADED,
    RESTORED,
    RELOADED,
    REJECTED,
    DRAIN_STARTED,
    DRAIN_ENDED,
    WORKER_REPLACED,
    LEFT,
    RESUMED,
)
GOLDEN = (Path(__file__).parent / "golden_log.jsonl").read_text("utf-8").splitlines(keepends=True)


def logged(signals: Iterable[Signal], level: Level = "info") -> list[dict[str, Any]]:
    """Return what a book of `level` writes about `signals`. Needs a running loop."""
    file = Blocks()
    book = LogBook(file, FixedClock(), level=level)
    for signal in signals:
        book(signal)
    book.close()
    return file.lines()


def test_every_signal_is_told_or_knowingly_silent() -> None:
    """A new signal needs an entry in a table of events, or a word that it has no line."""
    assert set(Signal.__subclasses__()) == SPECS.keys() | SILENT
    assert not SPECS.keys() & SILENT


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_silent_signal_has_no_events_and_any_other_has_some(signal: Signal) -> None:
    """The tables agree with what they return."""
    found = events(signal)

    assert bool(found) == (type(signal) not in SILENT)
    assert severity(signal) >= logging.INFO


@pytest.mark.parametrize(("signal", "line"), list(zip(LOGGED, GOLDEN, strict=True)))
async def test_each_signal_becomes_its_line(signal: Signal, line: str) -> None:
    """The line of each signal, byte for byte."""
    file = Blocks()
    book = LogBook(file, FixedClock())

    book(signal)
    book.close()

    assert line == b"".join(file.written).decode()


async def test_a_completed_stream_has_a_line_of_its_own() -> None:
    """The end of a stream is told twice: as a request, and as a stream with its speed."""
    signal = ended(stream=True, first_token_s=0.25, tokens_per_s=60.04, longest_gap_s=0.125)

    request, stream = logged([signal])

    assert "request_completed" == request["event"]
    assert {
        "timestamp": "2026-11-22T10:30:00.062Z",
        "level": "info",
        "event": "stream_completed",
        "request_id": "req_1",
        "provider": "openai",
        "target_model": "gpt-4o-mini",
        "duration_ms": 750.0,
        "ttft_ms": 250.0,
        "tokens_per_s": 60.0,
        "longest_gap_ms": 125.0,
        "completion_tokens": 30,
    } == stream


async def test_overload_is_told_with_its_extent() -> None:
    """One warning says how many calls were refused since the last one, and how full the house is."""
    (line,) = logged([OVERLOADED], "warning")

    del line["timestamp"]
    assert line == {
        "level": "warning",
        "event": "call_refused_overload",
        "refused": 3,
        "waiting": 100,
        "in_flight": 50,
        "limit": 50,
    }


async def test_a_stream_without_known_usage_says_nothing_about_speed() -> None:
    """Unknown figures are left out instead of being guessed."""
    signal = ended(stream=True, first_token_s=0.25, usage=None)

    _, stream = logged([signal])

    assert {"tokens_per_s", "completion_tokens"}.isdisjoint(stream)


async def test_a_count_of_zero_is_a_fact() -> None:
    """Zero tokens are logged; only what is unknown is left out."""
    (line,) = logged([ended(usage=Usage())])

    assert 0 == line["prompt_tokens"] == line["completion_tokens"] == line["total_tokens"]


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("debug", ["request_started", "request_failed", "fallback_triggered", "request_failed", "internal_fault"]),
        ("info", ["request_started", "request_failed", "fallback_triggered", "request_failed", "internal_fault"]),
        ("warning", ["request_failed", "fallback_triggered", "request_failed", "internal_fault"]),
        ("error", ["request_failed", "internal_fault"]),
    ],
)
async def test_less_severe_events_are_not_kept(level: Level, kept: list[str]) -> None:
    """Only events of the chosen level or above are written."""
    signals = (
        STARTED,
        failed("target_busy", "overloaded", 503),
        FELL_BACK,
        failed("internal", "internal", 500),
        FAULT,
    )

    lines = logged(signals, level)

    assert kept == [line["event"] for line in lines]


async def test_the_level_can_be_changed_while_running() -> None:
    """A new level holds from the next signal on."""
    file = Blocks()
    book = LogBook(file, FixedClock(), level="error")

    book(STARTED)
    book.set_level("info")
    book(ENDED)
    book.set_level("warning")
    book(STARTED)
    book.close()

    assert ["request_completed"] == [line["event"] for line in file.lines()]


async def test_lines_are_written_together_a_moment_later() -> None:
    """Nothing is written while signals arrive; the timer then writes all of them at once."""
    loop = asyncio.get_running_loop()
    written = asyncio.Event()

    class Telling(Blocks):
        def write(self, block: Any, /) -> int:  # noqa: ANN401 - typeshed's buffer type is private
            loop.call_soon_threadsafe(written.set)
            return super().write(block)

    file = Telling()
    book = LogBook(file, FixedClock())

    for signal in SIGNALS:
        book(signal)
    before = list(file.written)
    async with asyncio.timeout(60):
        await written.wait()
    book.close()

    assert [] == before
    assert 1 == len(file.written)
    assert len(SIGNALS) - len(SILENT) == len(file.lines())  # the silent kinds are for the metrics alone


async def test_a_full_batch_does_not_wait_for_the_timer() -> None:
    """The list of waiting signals is bounded."""
    file = Blocks()
    book = LogBook(file, FixedClock())

    for number in range(FLUSH_AT + 1):
        book(CallStarted(f"req_{number}", "/v1/chat/completions", "fast", stream=False))
    book.close()

    assert [FLUSH_AT, 1] == [block.count(b"\n") for block in file.written]
    assert [f"req_{number}" for number in range(FLUSH_AT + 1)] == [line["request_id"] for line in file.lines()]


async def test_closing_writes_the_rest_and_may_be_repeated() -> None:
    """No signal is lost at the end, and none is written twice."""
    file = Blocks()
    book = LogBook(file, FixedClock())
    book(STARTED)

    book.close()
    book.close()

    assert 1 == len(file.lines())


async def test_a_stalled_reader_does_not_hold_up_the_loop() -> None:
    """Signals are taken while the file takes nothing."""
    file = StalledFile()
    book = LogBook(file, FixedClock())

    book(STARTED)
    book.flush()
    assert file.reached.wait(60)
    for _ in range(FLUSH_AT):
        book(ENDED)
    file.resume()
    book.close()

    assert 1 + FLUSH_AT == len(file.lines())
    assert 0 == book.dropped


async def test_names_from_callers_are_bounded() -> None:
    """A value has at most 1 KB, and says where it was cut."""
    long_id, long_model = logged(
        [
            CallStarted("r" * 5000, "/v1/chat/completions", "fast", stream=False),
            CallStarted("req_1", "/v1/chat/completions", "ü" * 1000, stream=False),
        ]
    )

    assert "r" * (VALUE_MAX_BYTES - 3) + "..." == long_id["request_id"]
    assert len(long_model["model"].encode()) <= VALUE_MAX_BYTES
    assert long_model["model"].endswith("ü...")


async def test_a_value_of_exactly_the_limit_is_whole() -> None:
    """The limit itself is allowed."""
    model = "m" * VALUE_MAX_BYTES

    (line,) = logged([CallStarted("req_1", "/v1/chat/completions", model, stream=False)])

    assert model == line["model"]


async def test_a_long_trace_keeps_its_innermost_frames() -> None:
    """Of a trace the end matters."""
    trace = "\n".join(f"app/deep.py:{number} descend" for number in range(1000))

    (line,) = logged([InternalFault("req_1", "RecursionError", trace)])

    assert line["trace"].startswith("...")
    assert line["trace"].endswith("app/deep.py:999 descend")
    assert TRACE_MAX_BYTES == len(line["trace"].encode())


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(
        st.sampled_from(["model", "code", "trace", "path", "message"]),
        st.builds(str.__mul__, st.text(min_size=1, max_size=20), st.integers(min_value=1, max_value=400)),
        min_size=2,
    ),
    st.sampled_from(["json", "console"]),
)
def test_no_line_is_longer_than_its_limit(fields: dict[str, str], line_format: LineFormat) -> None:
    """Whatever the fields hold, and however much of it has to be escaped, a line has at most 2,000 bytes."""
    line = renderer(line_format)({"timestamp": "t", "level": "info", "event": "e", **fields})

    assert len(line.encode()) <= LINE_MAX_BYTES
    assert line_format == "console" or "e" == msgspec.json.decode(line)["event"]


@pytest.mark.parametrize("hostile", ["a\nb", 'a"}\n{"event":"x', "\x1b[2J", "\x7f", "\x9b2J", "\u202eevil", "\ud800"])
@pytest.mark.parametrize("line_format", ["json", "console"])
async def test_a_hostile_name_can_neither_start_a_line_nor_drive_a_terminal(
    hostile: str, line_format: LineFormat
) -> None:
    """Whatever a caller sends, a signal is one line of printable text."""
    file = Blocks()
    book = LogBook(file, FixedClock(), line_format=line_format)

    book(CallStarted(hostile, "/v1/chat/completions", hostile, stream=False))
    book.close()
    text = b"".join(file.written).decode()

    assert text.endswith("\n")
    assert text[:-1].isprintable()


async def test_people_get_text() -> None:
    """The console format has one line for each event too, with the same fields."""
    file = Blocks()
    book = LogBook(file, FixedClock(), line_format="console")

    book(STARTED)
    book.close()

    assert (
        "2026-11-22T10:30:00.062Z [info     ] request_started    request_id='req_1' "
        "endpoint='/v1/chat/completions' model='fast' stream=False\n"
    ) == b"".join(file.written).decode()


async def test_every_line_is_valid_json() -> None:
    """A line is one object with timestamp, level and event first."""
    lines = logged(SIGNALS)

    assert all(["timestamp", "level", "event"] == list(line)[:3] for line in lines)
    assert msgspec.json.encode(lines)
