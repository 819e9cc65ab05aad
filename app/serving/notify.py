"""
Tells systemd how the service is: sd_notify(3), which is one datagram to a socket whose address it was given.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import socket
from contextlib import suppress

from app.config.surroundings import Supervision
from app.core.clock import Clock


class Notifier:
    """
    Says that the service is ready, alive or ending, if anybody wants to know.

    Args:
        supervision: Who wants to know; None says that nobody does.

        clock: Tells when it is time for the next sign of life: twice within the time that systemd allows.
    """

    def __init__(self, supervision: Supervision | None, clock: Clock) -> None:
        self._address = None if supervision is None else supervision.address
        self._every_s = None if supervision is None or supervision.watchdog_s is None else supervision.watchdog_s / 2
        self._clock = clock
        self._next = 0.0

    def ready(self) -> None:
        """Say that calls can be served."""
        self._say("READY=1")

    def alive(self) -> None:
        """Give a sign of life if it is time for one; cheap enough to be called at every turn of a loop."""
        if self._every_s is not None and self._clock.now() >= self._next:
            self._next = self._clock.now() + self._every_s
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._say("STOPPING=1")

    def _say(self, state: str) -> None:
        if self._address is None:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK  # who does not listen stops nobody
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as speaking:
            speaking.sendto(state.encode(), self._address)
