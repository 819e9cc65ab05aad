"""The parent's handle on a worker process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

from app.config.load import Loaded, Source
from app.serving.messages import Beat, Downwards, Ending, Reloaded, Started, Stop, Upwards, from_worker, say
from app.serving.worker import WorkerSetup, work


class Child:
    """
    A worker process; starts when this object is created.

    `started` is whether it serves, `requests` how many it had served by its last message, `heard` the time of that, and
    `told_to_stop` the time when it was first told to stop (None: it was not). Times are in clock seconds.
    """

    def __init__(self, source: Source, loaded: Loaded, setup: WorkerSetup, now: float) -> None:
        spawning = get_context("spawn")
        self.line, theirs = spawning.Pipe()
        self.process = spawning.Process(target=work, args=(source, loaded, setup, theirs))
        self.process.start()
        theirs.close()
        self.started = False
        self.requests = 0
        self.heard = now
        self.told_to_stop: float | None = None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self.process.exitcode

    def hear(self, now: float) -> Iterator[Upwards]:
        """Yield the messages that have arrived, and update this object from them."""
        while not self.line.closed and self._readable():
            message = from_worker(self.line)
            if message is None:
                self.line.close()
                return
            self.heard = now
            match message:
                case Started():
                    self.started = True
                case Beat(requests):
                    self.requests = requests
                case Reloaded():
                    pass
            yield message

    def say(self, message: Downwards) -> None:
        """Send it a message; does nothing if it is gone."""
        if not self.line.closed:
            say(self.line, message)

    def stop(self, now: float, how: Ending) -> None:
        """Let it shut down gracefully; on the second call, at once. One that does not serve yet is terminated."""
        self.told_to_stop = now if self.told_to_stop is None else self.told_to_stop
        if self.started:
            self.say(Stop(how))
        elif self.exit_code is None:
            self.process.terminate()

    def kill(self) -> None:
        """Kill it, and wait until it has ended."""
        self.process.kill()
        self.process.join()

    def close(self) -> None:
        """Free the resources of a worker that has ended."""
        self.line.close()
        self.process.join()
        self.process.close()

    def memory_bytes(self) -> int:
        """Return its resident memory; 0 where the system has no /proc."""
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return 0

    def _readable(self) -> bool:
        try:
            return self.line.poll()
        except OSError:
            return False
