"""What people see of something that takes its time: a line on the terminal, from the third second on."""

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
    A line that says what is being waited for, and for how long; on a terminal only, and gone in the end.

    It goes to standard error, so that what is printed can be piped on. A thread of its own writes it, since the verb
    may be waiting in any way. `fraction` is how much is done, where that is known.

    Args:
        about: What is being done, as in `asking the providers`.

        stream: Where the line goes.

        quiet_s: Seconds in which nothing is shown, because most things are over by then.
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
        """Begin, if anybody would see it."""
        if self._stream.isatty():
            self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        self._over.set()
        if self._writer.ident is not None:
            self._writer.join()

    def clear(self) -> None:
        """Take the line away for now, because something is about to be printed."""
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
