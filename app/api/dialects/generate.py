"""
`POST /v1/generate`: the gateway's own format in, OpenAI's format plus metadata out.

It accepts every field of chat completions plus `options`, or the short form with `prompt` and `system`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from app.api.dialects.chat import ChatDialect, Verbatim
from app.api.dialects.port import Style
from app.api.inbound import Headers
from app.api.request_options import CACHE_TTL_MAX_S, RETRIES_MAX, RequestOptions
from app.core.bodies import decode_as
from app.core.call import Call, CallOptions
from app.core.clock import Clock
from app.core.dialects.absent import given_in
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.model import Completion, Request
from app.core.sessions import is_session_id, not_found
from app.core.stream import Batch
from app.core.usage import Usage

_EVENTS = b"text/event-stream"
_OWN_FIELDS = ("prompt", "system", "session_id", "options")


class GenerateDialect(ChatDialect):
    """The gateway's own format, converted to a chat completion."""

    endpoint = "generate"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:
        """Extract the gateway's own fields and decode the rest; `accept: text/event-stream` implies `stream`."""
        body, options = read_generate(raw, stream=headers.get(b"accept", b"").strip() == _EVENTS)
        request, _ = super().read(body, headers)
        return request, options

    def style(self, call: Call, clock: Clock) -> Style:
        """Return a style that adds the metadata."""
        return WithMetadata(call, clock)


class GenerateOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    The options of one call.

    With `caching` false no stored answer is used and none is stored; with `circuit_breaker` false the call is neither
    refused by an open circuit nor counted by one. As everywhere in a body, null means the same as no field.
    """

    caching: bool | None = None
    retry: bool | None = None
    fallback: bool | None = None
    circuit_breaker: bool | None = None
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=RETRIES_MAX + 1)] | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    cache_ttl_s: Annotated[float, msgspec.Meta(ge=0, le=CACHE_TTL_MAX_S)] | None = None
    cache_similarity: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class _Own(msgspec.Struct, frozen=True):
    """The fields that only `/v1/generate` has, and `messages`."""

    prompt: str | None = None
    system: str | None = None
    session_id: str | None = None
    options: GenerateOptions | None = None
    messages: msgspec.Raw = msgspec.Raw()


def read_generate(raw: bytes, *, stream: bool = False) -> tuple[bytes, RequestOptions]:
    """
    Return the equivalent chat body, other fields unchanged, and the request's options.

    `stream` is the default for a body without that field.

    Raises:
        GatewayError: INVALID_JSON, INVALID_REQUEST, or SESSION_NOT_FOUND.
    """
    own = decode_as(_Own, raw)
    if own.session_id is not None and not is_session_id(own.session_id):
        raise not_found(own.session_id)  # stricter than the header, where any name is allowed
    fields: dict[str, object] = dict(decode_as(dict[str, msgspec.Raw], raw))
    for name in _OWN_FIELDS:
        fields.pop(name, None)
    if stream:
        fields.setdefault("stream", True)
    if own.prompt is not None:
        fields["messages"] = _messages(own)
    elif not bytes(own.messages):
        raise GatewayError(INVALID_REQUEST, "Send either 'prompt' or 'messages'.", param="prompt")
    elif own.system is not None:
        raise GatewayError(INVALID_REQUEST, "'system' goes with 'prompt'; put it into 'messages'.", param="system")
    return msgspec.json.encode(fields), _request_options(own.options or GenerateOptions(), own.session_id)


def _request_options(requested: GenerateOptions, session: str | None) -> RequestOptions:
    options = CallOptions(
        session=session,
        retry=requested.retry is not False,
        fallback=requested.fallback is not False,
        max_attempts=requested.max_attempts,
        circuit_breaker=requested.circuit_breaker is not False,
        caching=requested.caching is not False,
        cache_ttl_s=requested.cache_ttl_s,
        cache_similarity=requested.cache_similarity,
    )
    return RequestOptions(requested.timeout_s, options)


def _messages(own: _Own) -> list[dict[str, str]]:
    if bytes(own.messages):
        raise GatewayError(INVALID_REQUEST, "Send 'prompt' or 'messages', not both.", param="prompt")
    system = [{"role": "system", "content": own.system}] if own.system is not None else []
    return [*system, {"role": "user", "content": own.prompt or ""}]


class WithMetadata(Verbatim):
    """
    Forwards the provider's bytes, and adds a `wizard` object.

    In a whole answer it is one more member, in a stream one more chunk (a regular one, without choices) right before
    `[DONE]`.
    """

    def __init__(self, call: Call, clock: Clock) -> None:
        super().__init__(call)
        self._clock = clock
        self._first_part: float | None = None
        self._last_part = self._longest_gap_s = 0.0
        self._model = call.request.model
        self._usage: Usage | None = None

    def whole(self, completion: Completion) -> bytes:
        """Return the provider's body with the metadata as its last member."""
        body = completion.raw.rstrip()
        return b'%b,"wizard":%b}' % (body[:-1].rstrip(), msgspec.json.encode(self._metadata()))

    def part(self, batch: Batch) -> bytes:
        """Return the provider's frames, and the metadata before the last one."""
        now = self._clock.now()
        if self._first_part is None:
            self._first_part = self._last_part = now
            target = self._call.journal.target  # keeps its model even if another target resumes the stream
            self._model = self._model if target is None else target.model
        self._longest_gap_s = max(self._longest_gap_s, now - self._last_part)
        self._last_part = now
        frames: list[bytes] = []
        for event in batch:
            if event.chunk is not None and event.chunk.usage is not None:
                self._usage = event.chunk.usage
            if event.done:
                frames.append(b"data: %b\n\n" % msgspec.json.encode(self._closing_chunk()))
            frames.append(event.frame)
        return b"".join(frames)

    def _closing_chunk(self) -> dict[str, object]:
        created = int(self._clock.wall())
        head = {"id": self._call.id, "object": "chat.completion.chunk", "created": created, "model": self._model}
        return {**head, "choices": [], "wizard": self._metadata()}

    def _metadata(self) -> dict[str, object]:
        call, journal, now = self._call, self._call.journal, self._clock.now()
        metadata: dict[str, object] = {
            "request_id": call.id,
            "provider": journal.target.provider if journal.target else None,
            "model": journal.target.model if journal.target else None,
            "attempts": journal.attempts,
            "fallback": journal.position,
            "cache": journal.cache or "bypass",
            "duration_ms": _ms(now - call.started),
        }
        if call.options.session is not None:
            metadata["session_id"] = call.options.session
        if journal.story is not None:
            metadata["debug"] = {"steps": [step.shown() for step in journal.story]}
        metadata.update(given_in({"hedge": journal.hedge, "cost_usd": journal.cost.usd}))
        if journal.recovered:
            metadata["recovered"] = [seam.shown() for seam in journal.recovered]
        if self._first_part is None:
            metadata["overhead_ms"] = _ms(call.overhead_s(now))
            return metadata
        metadata["time_to_first_token_ms"] = _ms(self._first_part - call.started)
        metadata["longest_gap_ms"] = _ms(self._longest_gap_s)
        metadata["overhead_ms"] = _ms(call.overhead_s(self._first_part))
        duration_s = now - self._first_part
        if self._usage is not None and duration_s > 0:
            metadata["tokens_per_s"] = round(self._usage.completion_tokens / duration_s, 1)
        return metadata


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
