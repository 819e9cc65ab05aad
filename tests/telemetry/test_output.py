"""Log lines leave in order and in one piece, and a reader that fails or stalls harms nothing but the lines."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from app.telemetry.output import Output, standard_output
from tests.telemetry.examples import Blocks, BrokenFile, StalledFile


def test_blocks_are_written_whole_and_in_order() -> None:
    """Each block is one write."""
    file = Blocks()
    output = Output(file)

    output.write(b"one\ntwo\n", 2)
    output.write(b"three\n")
    output.close()

    assert [b"one\ntwo\n", b"three\n"] == file.written
    assert 0 == output.dropped


def test_a_stalled_reader_costs_lines_but_never_blocks_the_caller() -> None:
    """What does not fit into the backlog is dropped and counted; what fits is written once the reader returns."""
    file = StalledFile()
    output = Output(file, backlog_max_bytes=12)

    output.write(b"first\n")
    assert file.reached.wait(60)
    output.write(b"second\n", 3)
    output.write(b"third\n")
    file.resume()
    output.close()

    assert [b"first\n", b"third\n"] == file.written
    assert 3 == output.dropped


def test_lines_that_nobody_reads_are_counted() -> None:
    """A broken pipe is no reason to die."""
    output = Output(BrokenFile())

    output.write(b"one\ntwo\n", 2)
    output.write(b"three\n")
    output.close()

    assert 3 == output.dropped


def test_a_file_that_was_closed_is_like_a_broken_pipe() -> None:
    """Writing to a closed file loses the lines, no more."""
    file = Blocks()
    file.close()
    output = Output(file)

    output.write(b"one\n")
    output.close()

    assert 1 == output.dropped


def test_what_is_said_after_close_is_still_written() -> None:
    """The last words of a process come out, without a thread."""
    file = Blocks()
    output = Output(file)
    output.write(b"before\n")
    output.close()

    output.write(b"after\n")

    assert [b"before\n", b"after\n"] == file.written


def test_lines_after_close_are_dropped_when_the_writer_is_stuck() -> None:
    """A reader that stalled before the end does not hold up the end."""
    file = StalledFile()
    output = Output(file, close_limit_s=0.01)
    output.write(b"before\n")
    assert file.reached.wait(60)

    output.close()
    output.write(b"after\n")
    dropped = output.dropped
    file.resume()

    assert 1 == dropped


def test_closing_twice_and_without_a_line_is_fine() -> None:
    """An output that was never used has no thread to end."""
    output = Output(Blocks())

    output.close()
    output.close()

    assert 0 == output.dropped


def test_a_file_that_takes_a_part_gets_the_rest() -> None:
    """Short writes are continued."""

    class Sips(Blocks):
        def write(self, block: Any, /) -> int:  # noqa: ANN401 - typeshed's buffer type is private
            return super().write(block[:4])

    file = Sips()
    output = Output(file)

    output.write(b"a long line\n")
    output.close()

    assert b"a long line\n" == b"".join(file.written)


def test_a_pipe_that_someone_made_non_blocking_loses_nothing() -> None:
    """A full non-blocking pipe is waited for, in the writer's thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = threading.Event()
    block = b"x" * 300_000 + b"\n"
    received: list[bytes] = []

    class Pipe(io.FileIO):
        def write(self, piece: Any, /) -> Any:  # noqa: ANN401 - typeshed's buffer type is private
            taken = super().write(piece)
            if taken is None:
                full.set()
            return taken

    def read_all() -> None:
        while piece := os.read(reading, 65536):
            received.append(piece)

    reader = threading.Thread(target=read_all)
    with Pipe(writing, "wb") as file:
        output = Output(file, close_limit_s=60)
        output.write(block)
        assert full.wait(60)
        reader.start()
        output.close()
    reader.join()
    os.close(reading)

    assert block == b"".join(received)
    assert 0 == output.dropped


def test_standard_output_is_unbuffered_and_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines reach the descriptor at once."""
    output = Output(standard_output())

    output.write(b"hello\n")
    output.close()

    assert "hello\n" == capfd.readouterr().out


def test_a_real_file_gets_the_lines(tmp_path: Path) -> None:
    """A buffered file is flushed."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        output = Output(file)
        output.write(b"one\n")
        output.close()
        found = path.read_bytes()

    assert b"one\n" == found
