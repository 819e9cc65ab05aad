"""A streamed answer of Ollama, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.model import StreamEvent
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.mint import Mint
from app.providers.ollama.lines import Lines
from app.providers.ollama.response import arguments_of, finish_of, logprobs_of, read, usage_of
from app.providers.ollama.wire import ChatResponse


class OllamaDecoder:
    """An answer is complete when a line said `done`."""

    def __init__(self, model: str, mint: Mint, *, include_usage: bool) -> None:
        self._mint = mint
        self._lines = Lines()
        self._chunks = Chunks(mint.stamp(model), include_usage=include_usage)
        self._calls = 0
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes as they arrive; see the port."""
        return self._all(self._lines.feed(data))

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._all(self._lines.flush())
        if not self.done:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider's stream ended before the answer was complete.")
        return events

    def _all(self, lines: list[bytes]) -> list[StreamEvent]:
        return [event for line in lines if not self.done for event in self._events(read(line))]

    def _events(self, answer: ChatResponse) -> Iterator[StreamEvent]:
        said, chunks = answer.message, self._chunks
        if said.thinking:
            yield chunks.thought(said.thinking)
        if said.content:
            yield chunks.text(said.content, logprobs=bytes(logprobs_of(answer.logprobs)))
        for call in said.tool_calls or ():
            call_id = call.id or self._mint.fresh("call_")
            yield chunks.call(CallPiece(self._calls, arguments_of(call), call_id, call.function.name))
            self._calls += 1
        if answer.done:
            self.done = True
            yield chunks.finish(finish_of(answer, called=self._calls > 0))
            yield from chunks.closing(usage_of(answer))
