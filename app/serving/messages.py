"""The messages between a worker and its parent, over the pipe between them."""

from __future__ import annotations

from enum import Enum
from multiprocessing.connection import Connection
from typing import TypeAlias

import msgspec


class Ending(Enum):
    """
    Why a server shuts down, which decides what it does first.

    ORDERLY: it reports itself as not ready, and still takes calls for a while, so that load balancers can notice.
    QUICK: it skips that while, as after Ctrl-C. RELIEVED: another worker takes the calls from now on.
    """

    ORDERLY = "orderly"
    QUICK = "quick"
    RELIEVED = "relieved"


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The worker serves calls."""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Heartbeat: the worker's event loop runs; it has served `requests` so far."""

    requests: int


class Reloaded(msgspec.Struct, frozen=True, tag="reloaded"):
    """The worker uses a newer configuration; if the reload was `asked` for, all workers must check, too."""

    asked: bool


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """Read the configuration again."""


class Replaced(msgspec.Struct, frozen=True, tag="replaced"):
    """How many workers this parent has replaced so far, by the reason of `WorkerReplaced`."""

    counts: dict[str, int]


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Shut down; sent again, at once."""

    how: Ending


Upwards: TypeAlias = Started | Beat | Reloaded
Downwards: TypeAlias = Reload | Replaced | Stop

_UPWARDS = msgspec.json.Decoder(Upwards)
_DOWNWARDS = msgspec.json.Decoder(Downwards)


def say(line: Connection, message: Upwards | Downwards) -> bool:
    """Send a message; return False if the other end is closed."""
    try:
        line.send_bytes(msgspec.json.encode(message))
    except OSError:
        return False
    return True


def from_worker(line: Connection) -> Upwards | None:
    """Return the next message of a worker; None once it is gone. Blocks if there is none."""
    block = _next(line)
    return None if block is None else _UPWARDS.decode(block)


def from_parent(line: Connection) -> Downwards | None:
    """Return the next message of the parent; None once it is gone. Blocks if there is none."""
    block = _next(line)
    return None if block is None else _DOWNWARDS.decode(block)


def _next(line: Connection) -> bytes | None:
    try:
        return line.recv_bytes()
    except (EOFError, OSError):
        return None
