"""Signals are what telemetry sees of a call; this is where a field for content would be noticed."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from app.core.signals import Signal
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage
from app.telemetry.logs import LogBook
from tests.telemetry.examples import SIGNALS, Blocks, FixedClock, ended

KINDS = tuple(Signal.__subclasses__())

# Names, codes, numbers and the frames of a bug. A new field is added here once it is sure that it never holds a
# prompt, an answer, a key or the message of an error.
JUDGED = frozenset(
    {
        *("request_id", "trace_id", "endpoint", "model", "provider", "target_model", "origin", "onward", "stream"),
        *("outcome", "status", "code", "category", "error", "trace", "state", "reason"),
        *("problems", "path", "before", "now"),
        *("priority", "wait_s", "refused", "waiting", "in_flight", "limit", "measure", "shadow", "remaining", "most"),
        *(
            "attempt",
            "attempts",
            "position",
            "duration_s",
            "overhead_s",
            "first_token_s",
            "pause_s",
            "tokens_per_s",
            "longest_gap_s",
        ),
        *("failures", "calls", "open_s", "degraded", "delay_s", "up", "chars"),
        *("side", "detector", "action", "count", "guard", "score"),
        *("key_id", "action", "keys", "trimmed"),
        *("changes", "changed", "window_s", "cut", "lasted_s", "pid", "exit_code"),
        "usage",
        *("key", "team", "route", "cost_nusd", "cost_usd", "estimated", "at"),
        "events",
        *("drained", "live"),
        *("subject", "admitted", "peer"),
        *("budget", "cache", "share", "spent_usd", "held_usd", "limit_usd"),
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_signal_has_a_field_for_content(kind: type[msgspec.Struct]) -> None:
    """Every field of every signal has been judged, and none has a type that could carry a message."""
    hints = get_type_hints(kind)

    types = {part for hint in hints.values() for part in (get_args(hint) or (hint,))}

    assert JUDGED.issuperset(hints)
    assert {str, int, float, bool, Usage, type(None)}.issuperset(types)


def test_usage_is_only_numbers() -> None:
    """The one structure inside a signal counts tokens, and so do the details inside it."""
    totals = get_type_hints(Usage)
    details = {**get_type_hints(PromptTokensDetails), **get_type_hints(CompletionTokensDetails)}

    kinds = {part for hint in [*totals.values(), *details.values()] for part in (get_args(hint) or (hint,))}

    assert {int, type(None), PromptTokensDetails, CompletionTokensDetails} == kinds


def test_the_examples_cover_every_signal() -> None:
    """A new signal needs an example, and with it a line in the tests of log and metrics."""
    assert set(KINDS) == {type(signal) for signal in SIGNALS}


async def test_the_log_tells_every_field() -> None:
    """Each value of a signal can be found in its line: nothing is dropped by oversight."""
    told: dict[str, Any] = {"request_id": "marked", "usage": Usage(101, 102, 203), "tokens_per_s": 77.5}
    signal = ended(**told, stream=True, first_token_s=0.125, attempts=4, position=3)
    file = Blocks()
    book = LogBook(file, FixedClock())

    book(signal)
    book.close()
    values = {value for line in file.lines() for value in line.values()}

    assert {"marked", 101, 102, 203, 77.5, 125.0, 4, 3} <= values
