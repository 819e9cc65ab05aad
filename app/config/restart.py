"""Which settings a process takes over when it starts and never again: what they describe is opened once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.config.trees import Loc

# A feature that opens something at the start adds its lines.
AT_START: Final[Sequence[Loc]] = (
    ("server", "host"),
    ("server", "port"),
    ("server", "workers"),
    ("server", "watch"),
    ("server", "recycle"),
    ("redis",),
    ("logging", "format"),
    ("metrics", "enabled"),
    ("request_log", "enabled"),
    ("request_log", "max_entries"),
    ("request_log", "store"),
    ("request_log", "path"),
)


def needs_restart(loc: Loc) -> bool:
    """Say whether a new value at `loc` waits for the next start."""
    return any(loc[: len(fixed)] == fixed for fixed in AT_START)
