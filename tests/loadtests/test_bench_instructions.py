"""What calls make the interpreter do is counted exactly, and a change of it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import uvloop

from loadtests import history, messages
from loadtests.counting import Counts, StillClock, counts
from loadtests.features import FEATURES
from loadtests.gateways import config_file
from loadtests.own_code import CannedUpstream, Message, Receive, Send, open_app

ROOT = Path(__file__).parents[2]
COUNTED = {"whole answer", "stream of one chunk", "further event", "cache hit"}


def counted(*arguments: str, seed: str) -> str:
    """Count in a process of its own, in which sets have the order that `seed` gives them."""
    asked = [sys.executable, "-m", "loadtests.instructions", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_two_runs_count_the_same(tmp_path: Path) -> None:
    """The second process finds what the first one recorded, to the last instruction, for all that is counted."""
    file = tmp_path / "history.jsonl"

    counted("--record", str(file), seed="1")
    shown = counted("--check", str(file), seed="2")

    row = history.last(file)
    assert row is not None
    assert row.counts.keys() == COUNTED | {f"+ {name}" for name, each in FEATURES.items() if each.beyond is not None}
    assert all(row.counts[name] > Counts(0, 0, 0) for name in COUNTED)
    assert shown == history.table(row.counts, row)
    assert "(+" not in shown
    assert "(-" not in shown


async def around_three_look_ups(directory: Path) -> tuple[Counts, Counts]:
    """Count a call as it is, and one with three needless look-ups."""
    upstream, body = CannedUpstream(), messages.chat_request("bench")
    upstream.answer_unary()
    config = config_file(directory, {})
    with (directory / "log").open("wb") as log, open_app(config, upstream, log, StillClock()) as app:

        async def slower(scope: Message, receive: Receive, send: Send) -> None:
            for _ in range(3):
                scope.get("path")
            await app(scope, receive, send)

        return await counts(app, body), await counts(slower, body)


def test_a_planted_regression_shows(tmp_path: Path) -> None:
    """Three needless look-ups in a call are three calls of C more, and nothing hides them."""
    before, now = uvloop.run(around_three_look_ups(tmp_path))

    row = history.Row(day="2026-11-26", commit="abc", python="3.11", counts={"whole answer": before})
    [line] = history.table({"whole answer": now}, row).splitlines()[-1:]
    assert line.startswith(f"| whole answer | {now.opcodes:,} (+{now.opcodes - before.opcodes}) | {now.calls:,} (+")
    assert line.endswith(f"| {now.c_calls:,} (+3) |")
    assert before.opcodes < now.opcodes


def test_only_rows_of_this_version_of_python_are_compared(tmp_path: Path) -> None:
    """Another version has other instructions: its rows are passed over, and without any there is nothing to compare."""
    file, found = tmp_path / "history.jsonl", {"whole answer": Counts(3, 2, 1)}
    history.record(file, found)
    other = file.read_bytes().replace(b'"python":"3.', b'"python":"2.')

    file.write_bytes(file.read_bytes() + other)
    mine = history.last(file)
    file.write_bytes(other)
    none = history.last(file)

    assert mine is not None
    assert mine.counts == found
    assert none is None
    assert "more than" not in history.table(found, none)
