"""A gateway whose parent process lives ten times as fast: what takes half a minute is over in three seconds."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from app.config.listening import Place
from app.config.source import Source
from app.config.surroundings import supervision
from app.core.clock import SystemClock
from app.core.signals import Signal
from app.serving.ground import Ground
from app.serving.notify import Notifier
from app.serving.process import listen, port_of
from app.serving.supervisor import Outlook, Supervisor
from app.telemetry.workers.directory import workers_directory

FACTOR = 10.0


class HastyClock(SystemClock):
    """Time that runs away."""

    def now(self) -> float:
        """Return ten seconds for each."""
        return super().now() * FACTOR


def note(signal: Signal) -> None:
    """Print a signal."""
    sys.stdout.write(f"{signal}\n")
    sys.stdout.flush()


def main(path: str) -> None:
    """Serve the configuration at `path`, and leave with the supervisor's code."""
    source = Source(Path(path), {}, {})
    loaded = source.read()
    listening = listen(Place("server", "127.0.0.1", 0))
    announce = partial(print, f"listening on http://127.0.0.1:{port_of(listening)}", flush=True)
    clock = HastyClock()
    outlook = Outlook(announce, note, Notifier(supervision(), clock))
    with workers_directory() as meeting:
        code = Supervisor(source, loaded, Ground((listening,), meeting), outlook, clock).run()
    sys.exit(code)
