"""One worker process: a server that reports to its parent, and obeys its messages."""

from __future__ import annotations

import asyncio
import select
import signal
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import msgspec

from app.config.load import Loaded, Source
from app.core.clock import SystemClock
from app.main import Service
from app.serving.messages import Beat, Ending, Reload, Reloaded, Replaced, Started, Stop, from_parent, say
from app.serving.process import admin_port_of, settle_garbage, uvicorn_config
from app.serving.server import GatewayServer
from app.serving.signals import HANGUP


class WorkerSetup(msgspec.Struct, frozen=True):
    """
    The sockets from which all workers accept, and the directory in which they find each other.

    The first socket takes calls; the second, if there is one, is that of `admin.port`.
    """

    listening: tuple[socket.socket, ...]
    meeting: Path


def work(source: Source, loaded: Loaded, setup: WorkerSetup, line: Connection) -> None:
    """
    Serve in this process until the parent stops it, or is gone.

    Args:
        source: Where reloads read the configuration.

        loaded: The initial configuration.

        setup: What all workers share.

        line: The worker's end of the pipe to its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, and the parent passes it on
    if HANGUP is not None:
        signal.signal(HANGUP, signal.SIG_IGN)  # until the loop has a handler; else it would end the process
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))  # until the server has one
    parent = Parent(line)
    service = Service(source, loaded, parent.reloaded, setup.meeting, admin_port_of(setup.listening))
    settle_garbage()
    server = WorkerServer(service, parent)
    server.run(sockets=[*setup.listening])


class Parent:
    """The parent, as the keeper of a worker's server."""

    def __init__(self, line: Connection) -> None:
        self.line = line
        self._writable = select.poll()
        self._writable.register(line.fileno(), select.POLLOUT)

    def started(self) -> None:
        """Report that calls are served."""
        say(self.line, Started())

    def beat(self, requests: int) -> None:
        """Send a heartbeat; skipped while the pipe is full, as this must never block."""
        if self._writable.poll(0):
            say(self.line, Beat(requests))

    def stopping(self) -> None:
        """Do nothing: the parent sees the end of the process."""

    def reloaded(self, *, asked: bool) -> None:
        """Report that a newer configuration is in use."""
        say(self.line, Reloaded(asked))


class WorkerServer(GatewayServer):
    """A server that obeys its parent, and shuts down when the parent is gone."""

    def __init__(self, service: Service, parent: Parent) -> None:
        super().__init__(uvicorn_config(service), service, parent, SystemClock())
        self._line = parent.line
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and handle the parent's messages from now on."""
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._obey)
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down on SIGTERM; SIGINT is ignored, as the parent sends `Stop` for it."""
        if sig != signal.SIGINT:
            super().handle_exit(sig, frame)

    def _obey(self) -> None:
        message = from_parent(self._line)
        match message:
            case Reload():
                self._service.reload()
            case Replaced(counts):
                self._service.replaced = counts
            case Stop(how):
                self.end(how)
            case None:
                asyncio.get_running_loop().remove_reader(self._line.fileno())
                self.end(Ending.ORDERLY)
