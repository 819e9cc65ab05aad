"""What becomes of the turns of sessions."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class SessionTurnKept(msgspec.Struct, frozen=True):
    """A turn was added to its session; `trimmed` messages of the past were too old to be sent with it."""

    trimmed: int


class SessionTurnLost(msgspec.Struct, frozen=True):
    """An answer was given, but could not be added to its session; `code` names the row of the error table."""

    request_id: str
    code: str


SessionSignal: TypeAlias = SessionTurnKept | SessionTurnLost
