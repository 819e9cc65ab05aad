"""A streamed answer of Gemini, to the canonical form: each event is a small answer, and the last has the reason."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.core.dialects.absent import is_given
from app.core.model import Request, StreamEvent
from app.providers.canonical.answer import object_text
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.decoding import Translating, broken_off, heard
from app.providers.canonical.stamps import Mint
from app.providers.gemini.errors import error_in_answer
from app.providers.gemini.response import (
    annotations_of,
    extra_content,
    finish_of,
    image_of,
    logprobs_of,
    prose_of,
    require_candidates,
    usage_of,
)
from app.providers.gemini.wire import WHOSE, Candidate, GenerateResponse, Part, UsageMetadata
from app.providers.sse import SseFrame, SseFrames


class _Progress(msgspec.Struct):
    """What one candidate has come to: the number of its calls, whether it said anything and what, whether it ended."""

    calls: int = 0
    said: bool = False
    text: list[str] = msgspec.field(default_factory=list)
    finished: bool = False


class GeminiDecoder(Translating[SseFrame]):
    """An answer is complete when the body has ended and every candidate that began has a finish reason."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(SseFrames(), request, mint)
        self._candidates: dict[int, _Progress] = {}
        self._usage: UsageMetadata | None = None

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._events(self._frames.flush())
        finished = [progress.finished for progress in self._candidates.values()]
        if self._chunks is None or not finished or not all(finished):
            raise broken_off()
        self.done = True
        return events + self._chunks.closing(usage_of(self._usage))

    def _frame(self, frame: SseFrame) -> Iterator[StreamEvent]:
        answer = heard(frame.data, GenerateResponse, WHOSE)
        if is_given(answer.error):
            raise error_in_answer(bytes(answer.error))
        chunks = self._chunks
        if chunks is None:
            require_candidates(answer)
            chunks = self._begin(answer.response_id, answer.model_version)
        self._usage = answer.usage_metadata or self._usage
        for candidate in answer.candidates:
            yield from self._candidate(candidate, chunks)

    def _candidate(self, candidate: Candidate, chunks: Chunks) -> Iterator[StreamEvent]:
        progress = self._candidates.setdefault(candidate.index, _Progress())
        logprobs = bytes(logprobs_of(candidate.logprobs_result))
        for part in candidate.content.parts if candidate.content is not None else ():
            for event in self._part(part, candidate.index, chunks, logprobs):
                yield event
                logprobs = b"null"  # they are of the whole piece, and told once
        if candidate.grounding_metadata is not None:
            notes = annotations_of(candidate.grounding_metadata, "".join(progress.text))
            if notes:
                yield chunks.annotated(notes, candidate.index)
        if candidate.finish_reason is not None and not progress.finished:
            progress.finished = True
            reason = finish_of(candidate, called=progress.calls > 0, said=progress.said)
            yield chunks.finish(reason, candidate.index)

    def _part(self, part: Part, index: int, chunks: Chunks, logprobs: bytes) -> Iterator[StreamEvent]:
        progress = self._candidates[index]
        if part.function_call is not None:
            call = part.function_call
            piece = CallPiece(
                progress.calls,
                object_text(call.args),
                call.id or self._mint.fresh("call_"),
                call.name,
                extra_content(part.thought_signature),
            )
            progress.calls, progress.said = progress.calls + 1, True
            yield chunks.call(piece, index)
        elif part.thought:
            yield chunks.thought(part.text or "", index)
        elif (image := image_of(part)) is not None:
            progress.said = True
            yield chunks.pictured((image,), index)
        else:
            if text := prose_of(part):
                progress.said = True
                progress.text.append(text)
                yield chunks.text(text, index, logprobs)
            if part.thought_signature is not None:
                yield chunks.returned(extra_content(part.thought_signature), index)
