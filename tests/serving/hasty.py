"""
A gateway whose parent process lives ten times as fast once its workers serve: half a minute takes three seconds.

Not before: on a busy machine workers need a while to start, and would be taken for hung.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from app.config.listening import Place
from app.config.load import Source
from app.config.surroundings import supervision
from app.core.clock import SystemClock
from app.core.signals import Signal
from app.serving.notify import Notifier
from app.serving.process import listen, port_of
from app.serving.supervisor import Outlook, Supervisor
from app.serving.worker import WorkerSetup
from app.telemetry.workers.directory import workers_directory

FACTOR = 10.0


class HastyClock(SystemClock):
    """Time that runs away, `since` a moment."""

    since = math.inf

    def now(self) -> float:
        """Return ten seconds for each."""
        true = super().now()
        return true + max(0.0, true - self.since) * (FACTOR - 1)


def note(signal: Signal) -> None:
    """Print a signal."""
    sys.stdout.write(f"{signal}\n")
    sys.stdout.flush()


def main(path: str) -> None:
    """Serve the configuration at `path`, and leave with the supervisor's code."""
    source = Source(Path(path), {}, {})
    loaded = source.read()
    listening = listen(Place("server", "127.0.0.1", 0))
    clock = HastyClock()

    def announce() -> None:
        sys.stdout.write(f"listening on http://127.0.0.1:{port_of(listening)}\n")
        sys.stdout.flush()
        clock.since = clock.now()

    outlook = Outlook(announce, note, Notifier(supervision(), clock))
    with workers_directory() as meeting:
        code = Supervisor(source, loaded, WorkerSetup((listening,), meeting), outlook, clock).run()
    sys.exit(code)
