"""Streams that are translated: frames in, and canonical chunks out once the answer has a name."""

from __future__ import annotations

from typing import TypeVar

from app.providers.canonical.chunks import Chunks
from app.providers.canonical.decoding import Framed, Frames
from app.providers.canonical.stamps import Mint

F = TypeVar("F")


class Translating(Framed[F]):
    """Reads one answer of `model`. Without `include_usage` a client of chat completions sees no usage."""

    def __init__(self, frames: Frames[F], model: str, mint: Mint, *, include_usage: bool) -> None:
        super().__init__(frames)
        self._model = model
        self._mint = mint
        self._include_usage = include_usage
        self._chunks: Chunks | None = None

    @property
    def _writing(self) -> Chunks:
        return self._chunks or self._begin()

    def _begin(self, answer_id: str = "", model: str = "") -> Chunks:
        """Begin the answer, under the names that its provider gave it if it did."""
        stamp = self._mint.stamp(model or self._model, answer_id)
        self._chunks = Chunks(stamp, include_usage=self._include_usage)
        return self._chunks
