"""
The saved counts of workers, in files that outlive them, so that the gateway's totals never go backwards.

A worker saves its counts before it reports them, so its file never lags behind a scrape. After a worker's death, the
first worker that notices adds its totals to those of all dead workers, once.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from app.telemetry.metrics.families import Family
from app.telemetry.metrics.merging import lasting, merged

_SUFFIX: Final = ".counts"


class Retired(msgspec.Struct, frozen=True):
    """The totals of dead workers, and their names."""

    names: frozenset[str] = frozenset()
    families: list[Family] = []


class KeptCounts:
    """The files in the workers' directory. All methods may block on the disk: call them in a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._retired = directory / "retired"
        self._families = msgspec.msgpack.Decoder(list[Family])
        self.lost = 0  # failed writes: no space, or no directory

    def write(self, name: str, encoded: bytes) -> None:
        """Replace a worker's file; only that worker itself may call this."""
        self._replace(self._path(name), encoded)

    def read(self, name: str) -> list[Family]:
        """Return a worker's saved families; empty if it never saved any, or is retired."""
        try:
            return self._families.decode(self._path(name).read_bytes())
        except FileNotFoundError:
            return []

    def retire(self, alive: frozenset[str]) -> Retired:
        """Retire every worker that is not in `alive`, and return the totals of all dead workers so far."""
        try:
            with self._locked():
                return self._added_up(alive)
        except OSError:
            self.lost += 1
            return Retired()

    def _added_up(self, alive: frozenset[str]) -> Retired:
        retired = self._read_retired()
        dead = [path for path in sorted(self._directory.glob(f"*{_SUFFIX}")) if path.stem not in alive]
        new = [path for path in dead if path.stem not in retired.names]
        if new:
            left = [lasting(self.read(path.stem)) for path in new]
            names = retired.names | {path.stem for path in new}
            retired = Retired(names, merged([retired.families, *left]))
            if not self._replace(self._retired, msgspec.msgpack.encode(retired)):
                return retired  # their files stay: the next scrape adds them up again
        for (
            path
        ) in dead:  # after they are in the totals; their names there keep a crash in between from counting them twice
            path.unlink(missing_ok=True)
        return retired

    def _replace(self, path: Path, content: bytes) -> bool:
        """Replace a file atomically, and return whether that worked; if not, the old content stays."""
        beside = path.with_suffix(".new")
        try:
            beside.write_bytes(content)
            beside.replace(path)
        except OSError:
            self.lost += 1
            return False
        return True

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _read_retired(self) -> Retired:
        try:
            return msgspec.msgpack.decode(self._retired.read_bytes(), type=Retired)
        except FileNotFoundError:
            return Retired()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._directory / "retiring").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def encoded(families: Sequence[Family]) -> bytes:
    """Encode families for files and other workers."""
    return msgspec.msgpack.encode(families)
