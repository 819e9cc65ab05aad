"""Signal handling for a process without an event loop: queued in order, with a file descriptor to wait for."""

from __future__ import annotations

import signal
import socket
from collections import deque
from types import FrameType, TracebackType
from typing import Final, Self

HANGUP: Final = getattr(signal, "SIGHUP", None)  # Windows has none
_HANDLED: Final = tuple([number for number in (signal.SIGTERM, signal.SIGINT, HANGUP) if number is not None])


class SignalQueue:
    """Queues SIGTERM, SIGINT and SIGHUP while the context is entered; `fileno` becomes readable when one comes."""

    def __init__(self) -> None:
        self._received: deque[int] = deque()
        self._inside, self._outside = socket.socketpair()

    def __enter__(self) -> Self:
        """Replace the signal handlers."""
        self._inside.settimeout(0)
        self._outside.settimeout(0)
        self._before = [(number, signal.signal(number, self._receive)) for number in _HANDLED]
        self._woken = signal.set_wakeup_fd(self._inside.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the signal handlers."""
        signal.set_wakeup_fd(self._woken)
        for number, handler in self._before:
            signal.signal(number, handler)
        self._inside.close()
        self._outside.close()

    def fileno(self) -> int:
        """Return the file descriptor to wait for."""
        return self._outside.fileno()

    def take(self) -> list[int]:
        """Remove and return the received signals, oldest first."""
        try:
            while self._outside.recv(64):
                continue
        except BlockingIOError:
            pass
        return [self._received.popleft() for _ in range(len(self._received))]

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)
