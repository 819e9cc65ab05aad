"""
Where sessions are kept: in memory, in files, in SQLite or in Redis. One contract suite holds for all of them.

A session that expired loses its messages; that it was there is remembered for `GRACE_S`, so that its owner is told why
it is gone.
"""

from __future__ import annotations

from typing import Final

import msgspec

GRACE_S: Final = 86_400.0
SWEEP_EVERY_S: Final = 60.0


class StoreLimits(msgspec.Struct, frozen=True):
    """How much is kept: sessions of one owner, and bytes altogether where that is memory of the process."""

    sessions_max: int
    total_max_bytes: int
