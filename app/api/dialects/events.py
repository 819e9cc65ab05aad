"""Answers of canonical chunks written as the events of another dialect: what all such writers do around the words."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from app.api.dialects.sequential_tool_calls import OneAtATime
from app.core.model import Chunk, ChunkChoice, ToolDelta
from app.core.stream import Batch
from app.core.usage import Usage


class EventWriter(ABC):
    """
    Writes the events of one answer, of whose choices these dialects have the first only. Fresh for each.

    Writers append to `_frames`; `_ending` is the choice's last word, which has its finish reason.

    Args:
        model: Name of the model, as the answer shows it.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._encode = msgspec.json.Encoder().encode
        self._frames: list[bytes] = []
        self._begun = False
        self._turns = OneAtATime()
        self._ending = ChunkChoice()
        self._usage: Usage | None = None

    def events(self, batch: Batch) -> bytes:
        """Return the events that some chunks mean; may be empty."""
        for event in batch:
            if event.chunk is not None:
                self._chunk(event.chunk)
            if event.done:
                self._begin_once()
                for piece in self._turns.rest():
                    self._call(piece)
                self._end()
        frames, self._frames = self._frames, []
        return b"".join(frames)

    @abstractmethod
    def _begin(self) -> None:
        """Write what comes before everything else."""

    @abstractmethod
    def _say(self, choice: ChunkChoice) -> None:
        """Write what a chunk adds of thoughts and words."""

    @abstractmethod
    def _call(self, piece: ToolDelta) -> None:
        """Write a piece of a tool call."""

    @abstractmethod
    def _end(self) -> None:
        """Write what ends a good answer."""

    def _chunk(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if choice.index == 0:
                self._begin_once()
                self._choice(choice)

    def _choice(self, choice: ChunkChoice) -> None:
        self._say(choice)
        for given in choice.delta.tool_calls or ():
            for piece in self._turns.take(given):
                self._call(piece)
        if choice.finish_reason:
            self._ending = choice

    def _begin_once(self) -> None:
        if not self._begun:
            self._begun = True
            self._begin()
