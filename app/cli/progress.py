"""A progress line on the terminal for operations that take longer than two seconds."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Final, Self, TextIO

_QUIET_S: Final = 2.0
_STEP_S: Final = 0.1
_MARKS: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR: Final = "\r\033[K"


class Progress:
    """
    A line that shows what is being waited for, and for how long; only on a terminal, and erased at the end.

    It goes to standard error, because standard output may be piped. A thread writes it, because the verb may block.
    `fraction` is how much is done, if known.

    Args:
        about: What is being done, such as `asking the providers`.

        stream: Where the line is written.

        quiet_s: Seconds before the line appears; most operations finish earlier.
    """

    def __init__(self, about: str, stream: TextIO | None = None, quiet_s: float = _QUIET_S) -> None:
        self.about = about
        self.fraction: float | None = None
        self._stream = sys.stderr if stream is None else stream
        self._quiet_s = quiet_s
        self._over = threading.Event()
        self._shown = False
        self._line = threading.Lock()
        self._writer = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        """Start, if the stream is a terminal."""
        if self._stream.isatty():
            self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and erase the line."""
        self._over.set()
        if self._writer.ident is not None:
            self._writer.join()

    def clear(self) -> None:
        """Erase the line until its next update, to print something else."""
        with self._line:
            if self._shown:
                self._stream.write(_CLEAR)
                self._stream.flush()
                self._shown = False

    def _write(self) -> None:
        if self._over.wait(self._quiet_s):
            return
        step = 0
        while not self._over.wait(_STEP_S):
            mark, waited_s = _MARKS[step % len(_MARKS)], self._quiet_s + step * _STEP_S
            done = "" if self.fraction is None else f" {min(self.fraction, 1):4.0%}"
            with self._line:
                self._stream.write(f"{_CLEAR}{mark} {self.about}{done} ({waited_s:.0f} s)")
                self._stream.flush()
                self._shown = True
            step += 1
        self.clear()
