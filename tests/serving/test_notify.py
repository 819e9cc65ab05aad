"""systemd is told what it wants to know, and nobody else is."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config.surroundings import Supervision
from app.core.clock import SystemClock
from app.serving.notify import Notifier
from tests.support.gateway import LIMIT_S, Start, launched


class FakeTime(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        """Return where the hand stands."""
        return self.seconds


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(LIMIT_S)
        yield listening


def heard(systemd: socket.socket) -> list[str]:
    """Return what was said so far."""
    systemd.settimeout(0)
    found = []
    try:
        while True:
            found.append(systemd.recv(100).decode())
    except BlockingIOError:
        return found


def test_signs_of_life_come_twice_in_time(systemd: socket.socket) -> None:
    """They are given when half of the time is over, however often there is an opportunity."""
    clock = FakeTime()
    notifier = Notifier(Supervision(systemd.getsockname(), 10.0), clock)

    for _ in range(100):
        notifier.alive()
        clock.seconds += 0.2

    assert heard(systemd) == ["WATCHDOG=1"] * 4


def test_without_a_watchdog_there_are_no_signs_of_life(systemd: socket.socket) -> None:
    """Who did not ask for them gets none."""
    notifier = Notifier(Supervision(systemd.getsockname(), None), FakeTime())

    notifier.ready()
    notifier.alive()
    notifier.stopping()

    assert heard(systemd) == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("found", [None, Supervision("/nowhere/at/all", 1.0)])
def test_nobody_listens(found: Supervision | None) -> None:
    """Without a socket, or with one that is gone, nothing happens."""
    notifier = Notifier(found, FakeTime())

    notifier.ready()
    notifier.alive()
    notifier.stopping()


def test_who_does_not_listen_stops_nobody(systemd: socket.socket) -> None:
    """A full queue takes no more words; the service goes on all the same."""
    notifier = Notifier(Supervision(systemd.getsockname(), 1.0), FakeTime())

    for _ in range(1000):
        notifier.ready()

    assert set(heard(systemd)) == {"READY=1"}


@pytest.mark.parametrize("flags", [(), ("--workers", "2")], ids=["alone", "with workers"])
def test_a_service_is_ready_alive_and_stopping(systemd: socket.socket, flags: tuple[str, ...]) -> None:
    """From the first call that could be served to the signal that ends it."""
    told = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "4000000"}
    with launched(Start({"providers": {"sim": {"kind": "sim"}}}, flags=flags, variables=told)) as gateway:
        words = [systemd.recv(100).decode()]  # while it starts, as systemd does: the queue holds ten words
        while not {"READY=1", "WATCHDOG=1"} <= set(words):
            words.append(systemd.recv(100).decode())
        gateway.send_signal(signal.SIGTERM)
        gateway.wait()

    assert words.count("READY=1") == 1
    assert heard(systemd).count("STOPPING=1") == 1
