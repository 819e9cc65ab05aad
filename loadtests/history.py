"""
The counts of earlier commits: a file with a row for each that was recorded, the last one at the end.

A row is JSON: the day, the commit that the counted tree stood on, the version of Python, and the counts by name.
"""

from __future__ import annotations

import datetime as dt
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from loadtests.counting import Counts


class Row(msgspec.Struct, frozen=True):
    """What was counted once."""

    day: str
    commit: str
    python: str
    counts: dict[str, Counts]


def last(path: Path) -> Row | None:
    """Return the last row of this version of Python, 3.11 say, or None: those of others can't be compared."""
    rows = msgspec.json.Decoder(Row).decode_lines(path.read_bytes())
    return next((row for row in reversed(rows) if row.python == _python()), None)


def record(path: Path, found: Mapping[str, Counts]) -> None:
    """Add what was found today; the file need not be there."""
    row = Row(dt.datetime.now(dt.UTC).date().isoformat(), _commit(), _python(), dict(found))
    with path.open("ab") as file:
        file.write(msgspec.json.encode(row) + b"\n")


def table(found: Mapping[str, Counts], since: Row | None) -> str:
    """Return a table in Markdown; with a row to compare with, each figure has its difference, if there is one."""
    before = {} if since is None else since.counts
    head = f"With Python {_python()}"
    head += ":" if since is None else f", and how much more than on {since.day} at {since.commit}:"
    lines = ["| | opcodes | Python calls | C calls |", "|---|---:|---:|---:|"]
    for name, now in found.items():
        then = before.get(name, now)
        pairs = ((now.opcodes, then.opcodes), (now.calls, then.calls), (now.c_calls, then.c_calls))
        cells = [f"{value:,}" + (f" ({value - old:+,})" if value != old else "") for value, old in pairs]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([head, "", *lines, ""])


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _commit() -> str:
    """Ask git what the tree stands on; a tree that came without its history says nothing."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    except FileNotFoundError:
        return "-"
    return told.stdout.strip() or "-"
