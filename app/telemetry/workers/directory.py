"""The directory in which workers find each other. The parent makes it before they start, and removes it at its end."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

import msgspec

_PREFIX: Final = "wizard-workers-"
_HELD: Final = "held"  # locked while the parent lives; unlike a pid, a lock is valid across process namespaces
_SOCKET: Final = ".sock"
# In memory if possible: the contents must outlive a worker, but not the gateway.
_MEMORY: Final = "/dev/shm"  # noqa: S108 - made with mkdtemp, for this user alone


class Place(msgspec.Struct, frozen=True):
    """One worker's place in the directory; names are never reused."""

    directory: Path
    name: str

    @property
    def socket(self) -> Path:
        """Return the path of this worker's socket."""
        return self.socket_of(self.name)

    def socket_of(self, name: str) -> Path:
        """Return the path of a worker's socket."""
        return self.directory / f"{name}{_SOCKET}"

    def others(self) -> list[str]:
        """Return the names of all other workers that listen, or died without removing their socket."""
        return sorted(found.stem for found in self.directory.glob(f"*{_SOCKET}") if found.stem != self.name)


def place_in(directory: Path) -> Place:
    """Return a place for this process."""
    return Place(directory, f"{os.getpid()}-{token_hex(4)}")


@contextmanager
def workers_directory() -> Iterator[Path]:
    """
    Make a directory for several workers, and remove it at the end.

    Also removes the directories of parents that were killed: nobody holds their locks any more.

    Raises:
        OSError: It cannot be made.
    """
    directory = _made()
    _sweep(directory.parent)
    with (directory / "made").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (directory / "made").rename(directory / _HELD)  # only now: another gateway may sweep an unlocked one
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _made() -> Path:
    if os.access(_MEMORY, os.W_OK):
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _sweep(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*/{_HELD}"):
        with suppress(OSError), left.open() as held:  # another gateway's, or already removed
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
