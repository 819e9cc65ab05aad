"""What a worker and its parent say to each other, over the pipe between them."""

from __future__ import annotations

from enum import Enum
from multiprocessing.connection import Connection
from typing import TypeAlias

import msgspec


class Ending(Enum):
    """
    Why a server ends, which says what has to happen first.

    ORDERLY: whoever sends calls has to find out, so it is unready for a moment in which it still takes them. QUICK:
    nobody has to find out, as after Ctrl-C. RELIEVED: another worker takes the calls from now on.
    """

    ORDERLY = "orderly"
    QUICK = "quick"
    RELIEVED = "relieved"


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The worker serves calls."""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The worker's event loop turns; it has served so many requests."""

    requests: int


class Reloaded(msgspec.Struct, frozen=True, tag="reloaded"):
    """The worker uses a newer configuration; `asked` says that somebody asked for it, so that all shall look."""

    asked: bool


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """Read the configuration again."""


class Replaced(msgspec.Struct, frozen=True, tag="replaced"):
    """How many workers this parent has replaced so far, by the reason of `WorkerReplaced`."""

    counts: dict[str, int]


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End; said once more, end at once."""

    how: Ending


Upwards: TypeAlias = Started | Beat | Reloaded
Downwards: TypeAlias = Reload | Replaced | Stop

_UPWARDS = msgspec.json.Decoder(Upwards)
_DOWNWARDS = msgspec.json.Decoder(Downwards)


def say(line: Connection, message: Upwards | Downwards) -> bool:
    """Send a message and say whether there is anybody at the other end."""
    try:
        line.send_bytes(msgspec.json.encode(message))
    except OSError:
        return False
    return True


def from_worker(line: Connection) -> Upwards | None:
    """Return the next message of a worker; None once it is gone. Waits if there is none."""
    block = _next(line)
    return None if block is None else _UPWARDS.decode(block)


def from_parent(line: Connection) -> Downwards | None:
    """Return the next message of the parent; None once it is gone. Waits if there is none."""
    block = _next(line)
    return None if block is None else _DOWNWARDS.decode(block)


def _next(line: Connection) -> bytes | None:
    try:
        return line.recv_bytes()
    except (EOFError, OSError):
        return None
