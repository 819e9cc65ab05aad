"""Signals for a process without an event loop: kept in order, and something to wait for besides other things."""

from __future__ import annotations

import signal
import socket
from collections import deque
from types import FrameType, TracebackType
from typing import Final, Self

HANGUP: Final = getattr(signal, "SIGHUP", None)  # Windows has none
_HEARD: Final = tuple([number for number in (signal.SIGTERM, signal.SIGINT, HANGUP) if number is not None])


class SignalQueue:
    """While inside, SIGTERM, SIGINT and SIGHUP wait here to be taken; `fileno` becomes readable when one comes."""

    def __init__(self) -> None:
        self._rung: deque[int] = deque()
        self._inside, self._outside = socket.socketpair()

    def __enter__(self) -> Self:
        """Take the place of the handlers there are."""
        self._inside.settimeout(0)
        self._outside.settimeout(0)
        self._before = [(number, signal.signal(number, self._ring)) for number in _HEARD]
        self._woken = signal.set_wakeup_fd(self._inside.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the handlers back."""
        signal.set_wakeup_fd(self._woken)
        for number, handler in self._before:
            signal.signal(number, handler)
        self._inside.close()
        self._outside.close()

    def fileno(self) -> int:
        """Return what can be waited for."""
        return self._outside.fileno()

    def take(self) -> list[int]:
        """Return the signals that came, oldest first, and forget them."""
        try:
            while self._outside.recv(64):
                continue
        except BlockingIOError:
            pass
        return [self._rung.popleft() for _ in range(len(self._rung))]

    def _ring(self, number: int, _frame: FrameType | None) -> None:
        self._rung.append(number)
