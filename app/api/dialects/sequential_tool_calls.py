"""
Tool calls of a stream, told one after the other.

Chat completions may send the arguments of several calls in turn; the forms of Anthropic and of the Responses API show
one block at a time, and their clients take a block that has ended for complete.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ToolDelta


class OneAtATime:
    """
    Holds pieces of a call back until the call before it is complete. Fresh for each answer.

    Calls that come one after the other, as nearly always, pass as they come. A call is complete when its arguments are
    a JSON object; what is held when the answer ends is told by `rest`.
    """

    def __init__(self) -> None:
        self._live: int | None = None
        self._told: list[str] = []  # arguments of the live call
        self._free = False  # the live call takes free text, whose end cannot be seen
        self._waiting: dict[int, list[ToolDelta]] = {}

    def take(self, piece: ToolDelta) -> Sequence[ToolDelta]:
        """Return what can be told now."""
        if piece.index == self._live:
            self._keep(piece)
            return (piece, *self._next()) if self._waiting else (piece,)
        if self._live is None or (not self._waiting and self._complete()):
            self._begin(piece)
            return (piece,)
        self._waiting.setdefault(piece.index, []).append(piece)
        return self._next()

    def rest(self) -> Sequence[ToolDelta]:
        """Return everything that is held, call by call."""
        held = [piece for pieces in self._waiting.values() for piece in pieces]
        self._waiting.clear()
        return held

    def _next(self) -> list[ToolDelta]:
        told: list[ToolDelta] = []
        while self._waiting and self._complete():
            pieces = self._waiting.pop(next(iter(self._waiting)))
            self._begin(pieces[0])
            for piece in pieces[1:]:
                self._keep(piece)
            told += pieces
        return told

    def _begin(self, piece: ToolDelta) -> None:
        self._live, self._told, self._free = piece.index, [], piece.custom is not None
        self._keep(piece)

    def _keep(self, piece: ToolDelta) -> None:
        if piece.function is not None and piece.function.arguments:
            self._told.append(piece.function.arguments)

    def _complete(self) -> bool:
        if self._free:
            return True
        if not self._told or not self._told[-1].rstrip().endswith("}"):
            return False
        try:
            OBJECT.decode("".join(self._told))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True
