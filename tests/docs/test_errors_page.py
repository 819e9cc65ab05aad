"""The documented table of errors is the real one."""

from __future__ import annotations

from pathlib import Path

from app.core.errors import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_the_errors_page_has_the_rows_of_the_table() -> None:
    """docs/errors.md lists every kind, in order, with its status, family, retry rules and advice."""
    expected = [
        f"| `{kind.code}` | {kind.status} | {kind.category} | {'yes' if kind.retryable else 'no'} |"
        f" {kind.again.value} | {kind.suggestion} |"
        for kind in KINDS
    ]

    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and line.count("|") == 7]

    assert rows == expected
