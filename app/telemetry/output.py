"""
Writes log lines in a thread, behind a bounded backlog.

A stalled pipe, a paused terminal or a full disk must not block the event loop. Lines that do not fit into the backlog,
or cannot be written, are dropped and counted.
"""

from __future__ import annotations

import select
import sys
import threading
from queue import SimpleQueue
from typing import Protocol

BACKLOG_MAX_BYTES = 4 * 1024 * 1024  # about ten thousand lines: some seconds of full load
CLOSE_LIMIT_S = 1.0  # a reader that takes longer for the last lines is considered stalled


class ByteFile(Protocol):
    """The methods of a binary file, buffered or not, that are used here."""

    def write(self, block: bytes, /) -> int | None:
        """Write some of `block` and return how much, or None if a non-blocking file has no room."""
        ...

    def flush(self) -> None:
        """Pass on what is buffered."""
        ...

    def fileno(self) -> int:
        """Return the descriptor; called only after `write` returned None."""
        ...


def standard_output() -> ByteFile:
    """Open standard output, unbuffered; closing the file leaves the descriptor open."""
    return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)


class Output:
    """
    Writes blocks of lines in order. Safe in any thread.

    The writer thread starts with the first block and ends at `close`. Later blocks are written in the caller's thread,
    so that lines logged during shutdown are not lost. The file belongs to the caller and stays open.
    """

    def __init__(
        self, file: ByteFile, *, backlog_max_bytes: int = BACKLOG_MAX_BYTES, close_limit_s: float = CLOSE_LIMIT_S
    ) -> None:
        self._file = file
        self._backlog_max_bytes = backlog_max_bytes
        self._close_limit_s = close_limit_s
        self._backlog: SimpleQueue[tuple[bytes, int] | None] = SimpleQueue()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Return how many lines were lost."""
        return self._dropped

    def write(self, block: bytes, lines: int = 1) -> None:
        """Queue a block of `lines` complete lines; never blocks (before `close`) and never raises."""
        with self._lock:
            if self._closed:
                self._write_last(block, lines)
            elif self._waiting_bytes + len(block) > self._backlog_max_bytes:
                self._dropped += lines
            else:
                self._waiting_bytes += len(block)
                self._backlog.put((block, lines))
                self._start()

    def close(self) -> None:
        """Wait until everything is written, `close_limit_s` at most. Idempotent."""
        with self._lock:
            writer, self._writer, self._closed = self._writer, None, True
        if writer is not None:
            self._backlog.put(None)
            writer.join(self._close_limit_s)

    def _start(self) -> None:
        if self._writer is None:  # a daemon, so that a stuck write cannot keep the process alive
            self._writer = threading.Thread(target=self._run, name="log-writer", daemon=True)
            self._writer.start()

    def _run(self) -> None:
        while (entry := self._backlog.get()) is not None:
            block, lines = entry
            written = self._put(block)
            with self._lock:
                self._waiting_bytes -= len(block)
                self._dropped += 0 if written else lines

    def _write_last(self, block: bytes, lines: int) -> None:
        """Write in the caller's thread, unless the closed writer is still stuck with earlier blocks."""
        if self._waiting_bytes or not self._put(block):
            self._dropped += lines

    def _put(self, block: bytes) -> bool:
        """Write all of `block`, in one call if the file takes it, and return whether that worked."""
        try:
            while block:
                written = self._file.write(block)
                if written is None:  # another process made the shared descriptor non-blocking
                    select.select([], [self._file], [])
                else:
                    block = block[written:]
            self._file.flush()
        except (OSError, ValueError):  # no reader or no space; ValueError: the file is closed
            return False
        return True
