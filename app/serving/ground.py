"""What all workers of a gateway stand on."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec


class Ground(msgspec.Struct, frozen=True):
    """The socket that all of them accept from, and the directory in which they find each other."""

    listening: socket.socket
    meeting: Path
