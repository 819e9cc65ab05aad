"""A streamed answer of Ollama, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.model import Request, StreamEvent
from app.providers.canonical.answer import object_text
from app.providers.canonical.chunks import CallPiece
from app.providers.canonical.decoding import Translating
from app.providers.canonical.stamps import Mint
from app.providers.ollama.lines import Lines
from app.providers.ollama.response import finish_of, logprobs_of, read, usage_of


class OllamaDecoder(Translating[bytes]):
    """An answer is complete when a line said `done`."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(Lines(), request, mint)
        self._calls = 0

    def _frame(self, frame: bytes) -> Iterator[StreamEvent]:
        answer, chunks = read(frame), self._writing
        said = answer.message
        if said.thinking:
            yield chunks.thought(said.thinking)
        if said.content:
            yield chunks.text(said.content, logprobs=bytes(logprobs_of(answer.logprobs)))
        for call in said.tool_calls or ():
            call_id = call.id or self._mint.fresh("call_")
            yield chunks.call(CallPiece(self._calls, object_text(call.function.arguments), call_id, call.function.name))
            self._calls += 1
        if answer.done:
            self.done = True
            yield chunks.finish(finish_of(answer, called=self._calls > 0))
            yield from chunks.closing(usage_of(answer))
