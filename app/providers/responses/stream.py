"""
A streamed answer, from the events of the Responses API to canonical chunks.

It is complete with `response.completed` or `response.incomplete`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.dialects.responses import RESPONSES, Item, Response, ResponseEvent
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Request, StreamEvent
from app.providers.canonical.chat_request import Json
from app.providers.canonical.chunks import CallPiece
from app.providers.canonical.decoding import heard_or
from app.providers.canonical.stamps import Mint
from app.providers.canonical.typed_events import Events, NativeDecoder
from app.providers.responses.response import failed, finish_of, nested, text_of, thoughts_of, usage_of

WHOSE: Final = "the Responses API"
_NONE: Final = (b"", b"null", b"[]")
_UNDERSTOOD: Final = frozenset(
    {
        "response.created", "response.completed", "response.incomplete", "response.failed", "error",
        "response.output_item.added", "response.output_item.done", "response.output_text.delta",
        "response.output_text.annotation.added", "response.refusal.delta", "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta", "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    }
)  # fmt: skip
_EVENTS: Final = Events(RESPONSES, ResponseEvent, _UNDERSTOOD, WHOSE, "response.created")
_CALLS: Final = ("function_call", "custom_tool_call")


class ResponsesDecoder(NativeDecoder[ResponseEvent]):
    """Reads one answer; see `Translating`."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(_EVENTS, request, mint)
        self._calls: dict[int, _Call] = {}

    def _meaning(self, event: ResponseEvent, data: bytes) -> Iterator[StreamEvent]:
        delta = event.delta if isinstance(event.delta, str) else ""
        match event.type:
            case "response.output_text.delta":
                yield self._writing.text(delta, logprobs=_logprobs(event.logprobs))
            case "response.refusal.delta":
                yield self._writing.refusal(delta)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield self._writing.thought(delta)
            case "response.reasoning_summary_part.added" if event.summary_index:
                yield self._writing.thought("\n\n")
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._argue(event.output_index, delta)
            case "response.output_text.annotation.added" if note := heard_or(Json(), event.annotation):
                yield self._writing.annotated([nested(note)])
            case _:
                yield from self._milestone(event, data)

    def _milestone(self, event: ResponseEvent, data: bytes) -> Iterator[StreamEvent]:
        match event.type:
            case "response.created":
                response = event.response or Response()
                yield self._begin(response.id, response.model).text("")
            case "response.output_item.added" if event.item is not None:
                yield from self._open(event.output_index, event.item)
            case "response.output_item.done" if event.item is not None:
                yield from self._close(event.output_index, event.item)
            case "response.completed" | "response.incomplete":
                yield from self._end(event.response or Response())
            case "response.failed":
                raise failed(event.response.error if event.response is not None else msgspec.Raw(b"{}"))
            case "error":
                raise failed(event.error if bytes(event.error) not in _NONE else msgspec.Raw(data))
            case _:
                return

    def _open(self, index: int, item: Item) -> Iterator[StreamEvent]:
        if item.type in _CALLS:
            call = self._calls[index] = _Call(len(self._calls), custom=item.type == "custom_tool_call")
            first = CallPiece(call.position, "", item.call_id or item.id or "", item.name, custom=call.custom)
            yield self._writing.call(first)

    def _argue(self, index: int, delta: str) -> Iterator[StreamEvent]:
        call = self._calls.get(index)
        if call is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's stream goes on with a call that never began.")
        call.told = True
        yield self._writing.call(CallPiece(call.position, delta, custom=call.custom))

    def _close(self, index: int, item: Item) -> Iterator[StreamEvent]:
        """Yield what only the whole item tells: reasoning to send back, and arguments that came at once."""
        if item.type == "reasoning":
            thoughts = thoughts_of(item)
            if thoughts:
                yield self._writing.thought("", details=thoughts)
        call = self._calls.get(index)
        text = text_of(item.input if call is not None and call.custom else item.arguments)
        if call is not None and not call.told and text:
            yield self._writing.call(CallPiece(call.position, text, custom=call.custom))

    def _end(self, response: Response) -> Iterator[StreamEvent]:
        self.done = True
        yield self._writing.finish(finish_of(response, called=bool(self._calls)))
        yield from self._writing.closing(None if response.usage is None else usage_of(response.usage))


class _Call(msgspec.Struct):
    """A call under way; `told` says that some of its arguments came."""

    position: int
    custom: bool
    told: bool = False


def _logprobs(raw: msgspec.Raw) -> bytes:
    return b"null" if bytes(raw) in _NONE else b'{"content":%b,"refusal":null}' % bytes(raw)
