"""Which rate limits keep calls out."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class LimitExceeded(msgspec.Struct, frozen=True):
    """
    A rule refused a call, or would have if it were not in `shadow`.

    `measure` is requests, tokens or concurrency; after `wait_s` the call would fit (None: nobody knows, or never).
    """

    request_id: str
    limit: str
    measure: str
    wait_s: float | None
    shadow: bool


LimitSignal: TypeAlias = LimitExceeded
