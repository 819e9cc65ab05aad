"""The sums of usage reports."""

from __future__ import annotations

import msgspec

from app.core.signals import Spent
from app.core.spending.ledger import COUNTS, Sums, UsageKey, UsageRow, report
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage

SPENT = Spent("r", "key-1", "red", "fast", "acme", "small", Usage(9, 4, 13), 500, False, "completed", 1_795_305_599.0)


def row_of(spent: Spent) -> tuple[UsageKey, UsageRow]:
    """Return the row of one attempt."""
    sums = Sums()
    sums.count(spent)
    return next(iter(sums.take().items()))


def test_a_row_counts_one_attempt() -> None:
    """The day is that of UTC, also a second before midnight."""
    key, row = row_of(SPENT)

    assert key == UsageKey("2026-11-21", "key-1", "red", "fast", "acme", "small")
    assert row == UsageRow(attempts=1, prompt_tokens=9, completion_tokens=4, cost_nusd=500)


def test_unknown_prices_are_counted_and_cost_nothing() -> None:
    """They are told apart from what is free."""
    _, row = row_of(msgspec.structs.replace(SPENT, cost_nusd=None, estimated=True))

    assert (row.cost_nusd, row.unpriced, row.estimated) == (0, 1, 1)


def test_attempts_are_added_up_until_they_are_taken() -> None:
    """Those that agree in everything share a row; what was taken is not there a second time."""
    sums = Sums()
    details = Usage(9, 4, 13, PromptTokensDetails(cached_tokens=8), CompletionTokensDetails(reasoning_tokens=3))
    for spent in (SPENT, msgspec.structs.replace(SPENT, usage=details), msgspec.structs.replace(SPENT, model="big")):
        sums.count(spent)

    taken = sums.take()

    assert {"small": 2, "big": 1} == {key.model: row.attempts for key, row in taken.items()}
    small = next(row for key, row in taken.items() if key.model == "small")
    assert small == UsageRow(2, 18, 8, cached_tokens=8, reasoning_tokens=3, cost_nusd=1000)
    assert sums.take() == {}


def test_reports_add_up_what_agrees() -> None:
    """Rows are grouped by the chosen dimensions, in their order, and sorted."""
    key, row = row_of(SPENT)
    other = msgspec.structs.replace(key, key="key-0")
    rows = [(key, row), (other, row), (key, row)]

    found = report(rows, ("team", "key"))

    assert [(group, each.attempts) for group, each in found] == [(("red", "key-0"), 1), (("red", "key-1"), 2)]
    assert report([], ("day",)) == []


def test_sums() -> None:
    """Every count is added up."""
    ones = UsageRow(*[1] * len(COUNTS))

    assert ones.plus(ones) == UsageRow(*[2] * len(COUNTS))
    assert UsageRow().plus(ones) == ones
