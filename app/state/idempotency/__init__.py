"""Idempotency keys of calls in progress and answered: in this process's memory, or in Redis for all replicas."""

from __future__ import annotations

import msgspec


class RepeatLimits(msgspec.Struct, frozen=True):
    """How long answers are kept, how many and how large; `total_max_bytes` bounds those in memory."""

    ttl_s: float
    entries_max: int
    entry_max_bytes: int
    total_max_bytes: int
