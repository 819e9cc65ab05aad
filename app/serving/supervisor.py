"""
The parent of several workers: starts them, replaces those that die, hang or are due, and shuts them down gracefully.

It serves nothing itself and reads no request, so little can go wrong in it. A worker that is started while the file is
invalid gets the last valid configuration.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Final

import msgspec

from app.config.load import Loaded, Source
from app.core.clock import Clock
from app.core.configuration import ConfigError
from app.core.signals import Signal
from app.serving.children import Child
from app.serving.messages import Ending
from app.serving.notify import Notifier
from app.serving.signals import HANGUP, SignalQueue
from app.serving.worker import WorkerSetup
from app.serving.workers import Workers

CANNOT_START: Final = 3  # uvicorn's exit code for a failed start; a process manager may try again
_TURN_S: Final = 0.5


class Outlook(msgspec.Struct, frozen=True):
    """How the parent reports: `announce` when calls are served, `note` for replaced workers, `notifier` for systemd."""

    announce: Callable[[], None]
    note: Callable[[Signal], None]
    notifier: Notifier


class Supervisor:
    """
    Keeps as many workers running as `server.workers` says.

    Args:
        source: Where reloads read the configuration.

        loaded: The initial configuration.

        setup: What all workers share; its sockets are closed at the end.

        outlook: Notified of the state of the workers.
    """

    def __init__(self, source: Source, loaded: Loaded, setup: WorkerSetup, outlook: Outlook, clock: Clock) -> None:
        self._source = source
        self._loaded = loaded
        self._setup = setup
        self._outlook = outlook
        self._clock = clock

    def run(self) -> int:
        """Keep the workers running until a signal ends it, and return the exit code."""
        with SignalQueue() as signals:
            workers = Workers(self._begin, lambda: self._loaded.settings.server, self._outlook.note, self._clock)
            ready = False
            while True:
                _wait(signals, workers)
                changed = workers.hear()
                if not ready and workers.complete:
                    ready = True
                    self._outlook.announce()
                    self._outlook.notifier.ready()
                received = signals.take()
                if signal.SIGTERM in received or signal.SIGINT in received:
                    self._end(signals, workers, Ending.QUICK if signal.SIGINT in received else Ending.ORDERLY)
                    return 0
                if not ready and workers.failed:
                    self._end(signals, workers, Ending.QUICK)
                    return CANNOT_START
                if HANGUP in received:
                    changed = True
                    workers.reload()
                workers.mend()
                workers.recycle()
                if changed:
                    self._reread()  # last: the time that this takes must not count as a worker's silence
                self._outlook.notifier.alive()

    def _begin(self) -> Child:
        """Start a worker, with the configuration on disk if that is valid."""
        self._reread()
        return Child(self._source, self._loaded, self._setup, self._clock.now())

    def _reread(self) -> None:
        """Keep the newest valid configuration for future workers; the running ones report an invalid one themselves."""
        try:
            self._loaded = self._source.read()
        except ConfigError:
            return

    def _end(self, signals: SignalQueue, workers: Workers, how: Ending) -> None:
        """Shut all workers down gracefully; the next signal makes them end at once, and the one after kills them."""
        self._outlook.notifier.stopping()
        for listening in self._setup.listening:
            listening.close()
        workers.stop(how)
        signals_seen = 1
        while not workers.gone():
            _wait(signals, workers)
            workers.hear()
            for _ in signals.take():
                signals_seen += 1
                workers.stop(Ending.QUICK)
                if signals_seen > 2:  # noqa: PLR2004 - workers that ignored two will ignore the third
                    workers.kill()
        for child in [*workers]:
            child.close()


def _wait(signals: SignalQueue, workers: Workers) -> None:
    """Wait until a signal or a worker's message comes, a worker ends, or the time of a turn is over."""
    lines = [child.line for child in workers if not child.line.closed]
    ends = [child.process.sentinel for child in workers if child.exit_code is None]
    wait([signals.fileno(), *lines, *ends], _TURN_S)
