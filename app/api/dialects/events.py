"""Base class for translating a stream of canonical chunks into the events of another dialect."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from app.api.dialects.sequential_tool_calls import OneAtATime
from app.core.model import Chunk, ChunkChoice, ToolDelta
from app.core.stream import Batch
from app.core.usage import Usage


class EventWriter(ABC):
    """
    Writes the events of one answer; create one for each. Only the first choice is written: these dialects have one.

    Subclasses append to `_frames`; `_ending` is the choice with the finish reason.

    Args:
        model: Name of the model, as the answer shows it.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._encode = msgspec.json.Encoder().encode
        self._frames: list[bytes] = []
        self._begun = False
        self._tool_calls = OneAtATime()
        self._ending = ChunkChoice()
        self._usage: Usage | None = None

    def events(self, batch: Batch) -> bytes:
        """Return the events for a batch of chunks; may be empty."""
        for event in batch:
            if event.chunk is not None:
                self._chunk(event.chunk)
            if event.done:
                self._begin_once()
                for piece in self._tool_calls.rest():
                    self._call(piece)
                self._end()
        frames, self._frames = self._frames, []
        return b"".join(frames)

    @abstractmethod
    def _begin(self) -> None:
        """Write the first events of an answer."""

    @abstractmethod
    def _write_content(self, choice: ChunkChoice) -> None:
        """Write the reasoning and text of a chunk."""

    @abstractmethod
    def _call(self, piece: ToolDelta) -> None:
        """Write a piece of a tool call."""

    @abstractmethod
    def _end(self) -> None:
        """Write the last events of a complete answer."""

    def _chunk(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if choice.index == 0:
                self._begin_once()
                self._choice(choice)

    def _choice(self, choice: ChunkChoice) -> None:
        self._write_content(choice)
        for delta in choice.delta.tool_calls or ():
            for piece in self._tool_calls.take(delta):
                self._call(piece)
        if choice.finish_reason:
            self._ending = choice

    def _begin_once(self) -> None:
        if not self._begun:
            self._begun = True
            self._begin()
