"""Whether shared state can be reached."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class StateDegraded(msgspec.Struct, frozen=True):
    """Shared state went out of reach (`degraded`) or came back; `reason` is the type of the error."""

    degraded: bool
    reason: str


StateSignal: TypeAlias = StateDegraded
