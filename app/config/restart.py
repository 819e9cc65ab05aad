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
    ("server", "hosts"),
    ("server", "head_max_bytes"),
    ("server", "headers_max"),
    ("server", "head_timeout_s"),
    ("server", "body_min_bytes_per_s"),
    ("server", "connections_per_address"),
    ("server", "watch"),
    ("server", "recycle"),
    ("admin", "host"),
    ("admin", "port"),
    ("redis",),
    ("idempotency", "ttl_s"),
    ("idempotency", "max_entries"),
    ("idempotency", "entry_max_bytes"),
    ("idempotency", "max_bytes"),
    ("sessions", "store"),
    ("sessions", "path"),
    ("sessions", "max_sessions"),
    ("sessions", "max_total_bytes"),
    ("usage",),
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
