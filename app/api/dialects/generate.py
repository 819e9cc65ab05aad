"""
`POST /v1/generate`: the gateway's own form in, OpenAI's form plus metadata out.

It takes everything that chat completions take plus `options`, or the short form with `prompt` and `system`.
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
_OWN = ("prompt", "system", "session_id", "options")


class GenerateDialect(ChatDialect):
    """The gateway's own form, behind which everything is as in a chat completion."""

    endpoint = "generate"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:
        """Take the body's own fields out and decode the rest; who accepts nothing but events wants a stream."""
        body, wanted = read_generate(raw, stream=headers.get(b"accept", b"").strip() == _EVENTS)
        request, _ = super().read(body, headers)
        return request, wanted

    def style(self, call: Call, clock: Clock) -> Style:
        """Return what adds the metadata."""
        return WithMetadata(call, clock)


class GenerateOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a call may ask to be done differently.

    Without `caching` no stored answer is used and none is stored; a call without `circuit_breaker` is neither refused
    by an open circuit nor counted by one. As everywhere in a body, null is as if the field were not there.
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
    """The fields of the body that only `/v1/generate` knows."""

    prompt: str | None = None
    system: str | None = None
    session_id: str | None = None
    options: GenerateOptions | None = None
    messages: msgspec.Raw = msgspec.Raw()


def read_generate(raw: bytes, *, stream: bool = False) -> tuple[bytes, RequestOptions]:
    """
    Return the equivalent chat body, its other fields untouched, and what `options` asks for.

    With `stream` a body that does not say so itself is one for a stream.

    Raises:
        GatewayError: INVALID_JSON, INVALID_REQUEST, or SESSION_NOT_FOUND.
    """
    own = decode_as(_Own, raw)
    if own.session_id is not None and not is_session_id(own.session_id):
        raise not_found(own.session_id)  # a header may name anything, but whoever writes this wants to be remembered
    fields: dict[str, object] = dict(decode_as(dict[str, msgspec.Raw], raw))
    for name in _OWN:
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


def _request_options(asked: GenerateOptions, session: str | None) -> RequestOptions:
    options = CallOptions(
        session=session,
        retry=asked.retry is not False,
        fallback=asked.fallback is not False,
        max_attempts=asked.max_attempts,
        circuit_breaker=asked.circuit_breaker is not False,
        caching=asked.caching is not False,
        cache_ttl_s=asked.cache_ttl_s,
        cache_similarity=asked.cache_similarity,
    )
    return RequestOptions(asked.timeout_s, options)


def _messages(own: _Own) -> list[dict[str, str]]:
    if bytes(own.messages):
        raise GatewayError(INVALID_REQUEST, "Send 'prompt' or 'messages', not both.", param="prompt")
    system = [{"role": "system", "content": own.system}] if own.system is not None else []
    return [*system, {"role": "user", "content": own.prompt or ""}]


class WithMetadata(Verbatim):
    """
    The provider's bytes plus a `wizard` object.

    In a whole answer it is one more member, in a stream one more chunk (of the usual form, without choices) right
    before `[DONE]`.
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
            target = self._call.journal.target  # a stream has one model, also if another target has to go on with it
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
        found: dict[str, object] = {
            "request_id": call.id,
            "provider": journal.target.provider if journal.target else None,
            "model": journal.target.model if journal.target else None,
            "attempts": journal.attempts,
            "fallback": journal.position,
            "cache": journal.cache or "bypass",
            "duration_ms": _ms(now - call.started),
        }
        if call.options.session is not None:
            found["session_id"] = call.options.session
        if journal.story is not None:
            found["debug"] = {"steps": [step.shown() for step in journal.story]}
        named = {"hedge": journal.hedge, "cost_usd": journal.cost.usd}
        found.update(given_in(named))
        if journal.recovered:
            found["recovered"] = [seam.shown() for seam in journal.recovered]
        if self._first_part is None:
            found["overhead_ms"] = _ms(call.overhead_s(now))
            return found
        found["time_to_first_token_ms"] = _ms(self._first_part - call.started)
        found["longest_gap_ms"] = _ms(self._longest_gap_s)
        found["overhead_ms"] = _ms(call.overhead_s(self._first_part))
        lasted = now - self._first_part
        if self._usage is not None and lasted > 0:
            found["tokens_per_s"] = round(self._usage.completion_tokens / lasted, 1)
        return found


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
