"""Start the server: in this process, or in workers that this process supervises."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

from app.config.load import Loaded, Source
from app.config.surroundings import supervision
from app.core.clock import SystemClock
from app.core.configuration import ConfigError, Problem
from app.main import Service
from app.serving.notify import Notifier
from app.serving.process import admin_port_of, settle_garbage, uvicorn_config
from app.serving.server import GatewayServer
from app.serving.supervisor import Outlook, Supervisor
from app.serving.worker import WorkerSetup
from app.telemetry.logs import LogBook
from app.telemetry.output import standard_output
from app.telemetry.workers.directory import workers_directory


def start(source: Source, loaded: Loaded, listening: tuple[socket.socket, ...], announce: Callable[[], None]) -> int:
    """
    Serve until a signal ends it, and return the exit code.

    Args:
        source: Where reloads read the configuration.

        loaded: The initial configuration.

        listening: As in `WorkerSetup`.

        announce: Called once calls are served.

    Raises:
        ConfigError: Workers are configured, but there is no writable directory for them.
    """
    server, clock = loaded.settings.server, SystemClock()
    notifier = Notifier(supervision(), clock)
    if server.workers == 1 and server.recycle.max_requests is None and server.recycle.max_bytes is None:
        service = Service(source, loaded, _no_parent, admin_port=admin_port_of(listening))
        settle_garbage()
        GatewayServer(uvicorn_config(service), service, Alone(announce, notifier), clock).run(sockets=[*listening])
        return 0
    logging = loaded.settings.logging
    book = LogBook(standard_output(), clock, level=logging.level, line_format=logging.format)
    with ExitStack() as opened:
        opened.callback(book.close)
        try:
            meeting = opened.enter_context(workers_directory())
        except OSError as error:
            raise ConfigError([_no_place_for(server.workers)]) from error
        setup, outlook = WorkerSetup(listening, meeting), Outlook(announce, book.note, notifier)
        return Supervisor(source, loaded, setup, outlook, clock).run()


class Alone:
    """The keeper of a server without a parent: announces it, and notifies systemd."""

    def __init__(self, announce: Callable[[], None], notifier: Notifier) -> None:
        self._announce = announce
        self._notifier = notifier

    def started(self) -> None:
        """Announce the server, and report that calls are served."""
        self._announce()
        self._notifier.ready()

    def beat(self, requests: int) -> None:  # noqa: ARG002 - of every keeper
        """Report that the event loop runs."""
        self._notifier.alive()

    def stopping(self) -> None:
        """Report that the server shuts down."""
        self._notifier.stopping()


def _no_place_for(workers: int) -> Problem:
    expected = "a place where workers find each other: /dev/shm, or a directory for temporary files"
    suggestion = "mount a tmpfs at /tmp, or serve with one worker that is not recycled"
    return Problem("server.workers", str(workers), expected, suggestion)


def _no_parent(*, asked: bool) -> None:
    """Ignore a reload: there is no parent."""
