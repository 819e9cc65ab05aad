"""What a provider says: bodies and frames, spelled in ways that no encoder of ours would produce."""

from __future__ import annotations

from tests.e2e.support.upstream import Exchange, Script

_START = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
ROLE = _START + b'{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
FINISH = _START + b'{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def word(text: str) -> bytes:
    """Return a frame with a piece of text, oddly spaced and with a field that nobody knows."""
    return (
        b'data: { "id":"c1", "object":"chat.completion.chunk", "created":1, "model":"m", "future":{"a":[1e2]},'
        b' "choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text.encode()
    )


STREAM = ROLE + word("one ") + word("two") + FINISH + DONE

WHOLE = (
    b'{ "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "future": 1.50,\n'
    b'  "choices": [ {"index":0, "message":{"role":"assistant","content":"one two","refusal":null},'
    b' "logprobs":null, "finish_reason":"stop"} ],\n'
    b'  "usage": {"prompt_tokens":3,"completion_tokens":2,"total_tokens":5} }\n'
)


def whole(body: bytes = WHOLE, status: int = 200, headers: tuple[str, ...] = ()) -> Script:
    """Answer with a whole body."""
    return lambda exchange: exchange.answer(body, status, headers)


def streamed(*parts: bytes) -> Script:
    """Answer with a stream of these parts, ended properly."""

    def play(exchange: Exchange) -> None:
        exchange.begin()
        for part in parts or (STREAM,):
            exchange.part(part)
        exchange.end()

    return play


def refused(status: int, code: str = "", headers: tuple[str, ...] = ()) -> Script:
    """Answer with an error of OpenAI's shape."""
    body = (
        b'{"error":{"message":"The provider says no.","type":"some_error","param":"seed","code":"%b"}}' % code.encode()
    )
    return whole(body, status, headers)


def in_turn(*scripts: Script) -> Script:
    """Play a script for each request in turn, the last one for all that follow."""
    waiting = list(scripts)

    def play(exchange: Exchange) -> None:
        script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        script(exchange)

    return play


def dies(*parts: bytes) -> Script:
    """Break the connection behind these parts of a stream; without any, before the head."""

    def play(exchange: Exchange) -> None:
        _say(exchange, parts)
        exchange.break_off()

    return play


def stays(*parts: bytes) -> Script:
    """Fall silent behind these parts of a stream; without any, before the head."""
    return lambda exchange: _say(exchange, parts)


def _say(exchange: Exchange, parts: tuple[bytes, ...]) -> None:
    if parts:
        exchange.begin()
    for part in parts:
        exchange.part(part)
