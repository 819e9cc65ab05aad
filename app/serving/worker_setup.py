"""What all workers of a gateway share."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec


class WorkerSetup(msgspec.Struct, frozen=True):
    """
    The sockets that all of them accept from, and the directory in which they find each other.

    The first takes calls; the second, if there is one, is that of `admin.port`.
    """

    listening: tuple[socket.socket, ...]
    meeting: Path
