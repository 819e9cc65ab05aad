"""
The parent of several workers: starts them, replaces those that die, hang or are due, and ends them in order.

It serves nothing itself and reads no request, so there is little that can go wrong with it. A worker that has to be
started while the file is bad gets the last good configuration: a bad one never replaces it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Final

import msgspec

from app.config.load import Loaded
from app.config.source import Source
from app.core.clock import Clock
from app.core.configuration import ConfigError
from app.core.signals import Signal
from app.serving.children import Child
from app.serving.messages import Ending
from app.serving.notify import Notifier
from app.serving.signals import HANGUP, SignalQueue
from app.serving.worker import WorkerSetup
from app.serving.workers import Workers

CANNOT_START: Final = 3  # uvicorn's code for that; whoever supervises the supervisor may try again
_TURN_S: Final = 0.5


class Outlook(msgspec.Struct, frozen=True):
    """Whom the parent tells: `announce` when calls are served, `note` of workers that are replaced, systemd of both."""

    announce: Callable[[], None]
    note: Callable[[Signal], None]
    notifier: Notifier


class Supervisor:
    """
    Keeps as many workers running as `server.workers` says.

    Args:
        source: Where to read the configuration again.

        loaded: The configuration to begin with.

        setup: What all workers share; its sockets are closed at the end.

        outlook: Told how things are.

        clock: Source of time.
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
                rung = signals.take()
                if signal.SIGTERM in rung or signal.SIGINT in rung:
                    self._end(signals, workers, Ending.QUICK if signal.SIGINT in rung else Ending.ORDERLY)
                    return 0
                if not ready and workers.failed:
                    self._end(signals, workers, Ending.QUICK)
                    return CANNOT_START
                if HANGUP in rung:
                    changed = True
                    workers.reload()
                workers.mend()
                workers.recycle()
                if changed:
                    self._reread()  # last: whoever has just been heard is not judged after the time that this takes
                self._outlook.notifier.alive()

    def _begin(self) -> Child:
        """Start a worker, with what is on disk now if that is good."""
        self._reread()
        return Child(self._source, self._loaded, self._setup, self._clock.now())

    def _reread(self) -> None:
        """Keep the newest good configuration for workers that are still to come; they report a bad one themselves."""
        try:
            self._loaded = self._source.read()
        except ConfigError:
            return

    def _end(self, signals: SignalQueue, workers: Workers, how: Ending) -> None:
        """Let everybody end in order; each further signal makes it quicker, the second one for good."""
        self._outlook.notifier.stopping()
        for listening in self._setup.listening:
            listening.close()
        workers.stop(how)
        told = 1
        while not workers.gone():
            _wait(signals, workers)
            workers.hear()
            for _ in signals.take():
                told += 1
                workers.stop(Ending.QUICK)
                if told > 2:  # noqa: PLR2004 - those who did not obey two will not obey the third
                    workers.kill()
        for child in [*workers]:
            child.close()


def _wait(signals: SignalQueue, workers: Workers) -> None:
    """Return when a signal came, a worker said something or ended, or a turn is over."""
    lines = [child.line for child in workers if not child.line.closed]
    ends = [child.process.sentinel for child in workers if child.exit_code is None]
    wait([signals.fileno(), *lines, *ends], _TURN_S)
