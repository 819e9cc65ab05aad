"""
Serialize the tool calls of a stream: emit them one after the other.

Chat completions may interleave the arguments of several calls; Anthropic's Messages and the Responses API send one
block at a time, and their clients treat a block that has ended as complete.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ToolDelta


class OneAtATime:
    """
    Holds back the pieces of a call until the call before it is complete. Create one for each answer.

    Calls that arrive one after the other, the common case, pass through at once. A call is complete when its arguments
    are a JSON object; `rest` returns what is still held when the answer ends.
    """

    def __init__(self) -> None:
        self._live: int | None = None
        self._arguments: list[str] = []  # of the live call
        self._is_free_text = False  # the live call's input is free text, whose end cannot be detected
        self._waiting: dict[int, list[ToolDelta]] = {}

    def take(self, piece: ToolDelta) -> Sequence[ToolDelta]:
        """Return the pieces that can be emitted now."""
        if piece.index == self._live:
            self._keep(piece)
            return (piece, *self._next()) if self._waiting else (piece,)
        if self._live is None or (not self._waiting and self._complete()):
            self._begin(piece)
            return (piece,)
        self._waiting.setdefault(piece.index, []).append(piece)
        return self._next()

    def rest(self) -> Sequence[ToolDelta]:
        """Return all held pieces, call by call."""
        held = [piece for pieces in self._waiting.values() for piece in pieces]
        self._waiting.clear()
        return held

    def _next(self) -> list[ToolDelta]:
        ready: list[ToolDelta] = []
        while self._waiting and self._complete():
            pieces = self._waiting.pop(next(iter(self._waiting)))
            self._begin(pieces[0])
            for piece in pieces[1:]:
                self._keep(piece)
            ready += pieces
        return ready

    def _begin(self, piece: ToolDelta) -> None:
        self._live, self._arguments, self._is_free_text = piece.index, [], piece.custom is not None
        self._keep(piece)

    def _keep(self, piece: ToolDelta) -> None:
        if piece.function is not None and piece.function.arguments:
            self._arguments.append(piece.function.arguments)

    def _complete(self) -> bool:
        if self._is_free_text:
            return True
        if not self._arguments or not self._arguments[-1].rstrip().endswith("}"):
            return False
        try:
            OBJECT.decode("".join(self._arguments))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True
