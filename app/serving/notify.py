"""
Notify systemd of the service's state: sd_notify(3), one datagram to the socket in `Supervision`.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import socket
from contextlib import suppress

from app.config.surroundings import Supervision
from app.core.clock import Clock


class Notifier:
    """
    Reports that the service is ready, alive or stopping.

    Args:
        supervision: The socket and watchdog time of systemd; None reports nothing.

        clock: Times the watchdog messages: two within the time that systemd allows.
    """

    def __init__(self, supervision: Supervision | None, clock: Clock) -> None:
        self._address = None if supervision is None else supervision.address
        self._every_s = None if supervision is None or supervision.watchdog_s is None else supervision.watchdog_s / 2
        self._clock = clock
        self._next_at = 0.0

    def ready(self) -> None:
        """Report that calls are served."""
        self._say("READY=1")

    def alive(self) -> None:
        """Send a watchdog message if it is due; cheap enough for every turn of a loop."""
        if self._every_s is not None and self._clock.now() >= self._next_at:
            self._next_at = self._clock.now() + self._every_s
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._say("STOPPING=1")

    def _say(self, state: str) -> None:
        if self._address is None:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK  # never blocks on a full socket
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
            sender.sendto(state.encode(), self._address)
