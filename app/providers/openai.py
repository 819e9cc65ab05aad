"""
The codec for OpenAI's chat completions and every server that speaks them.

It is the dialect of the canonical model, so a request needs at most its model's name exchanged, and answers and
events are decoded for the observers but forwarded as they came.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, UNSUPPORTED_FEATURE, GatewayError
from app.core.model import Chunk, Completion, Delta, Operation, Request, StreamEvent, Weight
from app.core.ports import Decoder, Encoded
from app.core.usage import Usage
from app.providers.openai_errors import error_in_answer, error_of_status
from app.providers.splice import replace_model
from app.providers.sse import SseFrame, SseFrames

_DONE = b"[DONE]"
_DONE_EVENT = StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)
_NO_ERROR = (b"", b"null", b"{}", b'""')  # an empty one is none, as the SDKs see it


class _Choice(msgspec.Struct, frozen=True):
    finish_reason: str | None = None


class _Body(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


class OpenAiCodec:
    """Speaks `POST {base_url}/chat/completions`."""

    def __init__(self) -> None:
        self._body = msgspec.json.Decoder(_Body)
        self._chunk = msgspec.json.Decoder(Chunk)

    def encode(self, request: Request, target: Target) -> Encoded:
        """
        Return the client's own body, with the model under the name the provider knows.

        Raises:
            GatewayError: UNSUPPORTED_FEATURE for everything but chat.
        """
        if request.operation is not Operation.CHAT:
            raise GatewayError(UNSUPPORTED_FEATURE, f"{request.operation.value!r} is not available in this version.")
        body = request.raw if request.model == target.model else replace_model(request.raw, target.model)
        return Encoded("/chat/completions", body)

    def decode(self, body: bytes, request: Request) -> Completion:  # noqa: ARG002 - the port's
        """
        Return the whole answer.

        Raises:
            GatewayError: BAD_UPSTREAM_REPLY, or an error that was sent with status 200.
        """
        try:
            _require_text(body)
            answer = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is not a chat completion.") from error
        if bytes(answer.error) not in _NO_ERROR:
            raise error_in_answer(bytes(answer.error))
        if not answer.choices:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer holds no choices.")
        reasons = tuple(choice.finish_reason for choice in answer.choices if choice.finish_reason)
        return Completion(body, answer.usage, reasons)

    def _decode(self, body: bytes) -> _Body:
        try:
            return self._body.decode(body)
        except msgspec.ValidationError:
            found = _loosely(body)  # a usage that cannot be read does not spoil the answer
            return _Body(
                choices=msgspec.convert(found["choices"], list[_Choice]),
                error=msgspec.Raw(msgspec.json.encode(found["error"])),
            )

    def decoder(self, request: Request) -> Decoder:  # noqa: ARG002 - the port's
        """Return a fresh decoder for one streamed answer."""
        return _OpenAiDecoder(self._chunk)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
        """Return the failure that a status outside 200 to 299 means."""
        return error_of_status(status, headers, body, wall_s)


class _OpenAiDecoder:
    """An answer is complete when a choice gave its finish reason and then `[DONE]` came."""

    def __init__(self, chunk: msgspec.json.Decoder[Chunk]) -> None:
        self._chunk = chunk
        self._frames = SseFrames()
        self._finished = False
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        return self._events(self._frames.feed(data))

    def end(self) -> list[StreamEvent]:
        events = self._events(self._frames.flush())
        if not self.done:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider's stream ended before the answer was complete.")
        return events

    def _events(self, frames: list[SseFrame]) -> list[StreamEvent]:
        events = []
        for frame in frames:
            if self.done:
                break
            if frame.data:  # some proxies send empty ones to keep a connection alive, and some SDKs fail on them
                events.append(self._event(frame))
        return events

    def _event(self, frame: SseFrame) -> StreamEvent:
        if frame.data.rstrip() == _DONE:
            if not self._finished:
                raise GatewayError(TARGET_UNAVAILABLE, "The provider ended its stream without a finish reason.")
            self.done = True
            return _DONE_EVENT
        chunk = self._decode(frame.data)
        if chunk is not None and bytes(chunk.error) not in _NO_ERROR:
            raise error_in_answer(bytes(chunk.error))
        return StreamEvent(_forwardable(frame), chunk, Weight.ANSWER if chunk is None else self._weigh(chunk))

    def _decode(self, data: bytes) -> Chunk | None:
        try:
            _require_text(data)
            return self._chunk.decode(data)
        except msgspec.ValidationError:
            self._note_unfamiliar(data)
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _undecodable() from error

    def _note_unfamiliar(self, data: bytes) -> None:
        """Look for an error or a finish reason in an event whose other fields have types that we do not know."""
        try:
            event = _loosely(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _undecodable() from error
        if event["error"]:
            raise error_in_answer(msgspec.json.encode(event["error"]))
        choices = event["choices"]
        self._finished |= isinstance(choices, list) and any(
            isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
        )

    def _weigh(self, chunk: Chunk) -> Weight:
        weight = Weight.NOTHING
        for choice in chunk.choices:
            if choice.finish_reason:
                self._finished = True
                return Weight.ANSWER
            weight = max(weight, _weight(choice.delta))
        return weight


def _weight(delta: Delta) -> Weight:
    if delta.content or delta.tool_calls or delta.refusal or delta.function_call:
        return Weight.ANSWER
    if delta.reasoning_content or delta.reasoning:
        return Weight.THOUGHT
    return Weight.NOTHING


def _loosely(data: bytes) -> dict[str, object]:
    """Return the members of an object that say whether and how an answer ends, whatever their types."""
    found = msgspec.json.decode(data)
    members = found if isinstance(found, dict) else {}
    return {"choices": members.get("choices"), "error": members.get("error")}


def _require_text(data: bytes) -> None:
    """Raise `UnicodeDecodeError` unless all is UTF-8: msgspec skips the strings it does not read, clients will not."""
    if not data.isascii():
        data.decode()


def _undecodable() -> GatewayError:
    return GatewayError(BAD_UPSTREAM_REPLY, "The provider sent an event that is not JSON in UTF-8.")


def _forwardable(frame: SseFrame) -> bytes:
    """Return the original frame, or one that clients stand if it has more than data (`id:`, `event:`, `retry:`)."""
    return frame.raw if frame.plain else b"data: %b\n\n" % frame.data.replace(b"\n", b" ")
