"""
Cuts a whole answer into the events of a stream in which a provider could have sent it.

`app/core/answers/assemble.py` is the reverse, and restores the answer from these events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.answers.pieces import Members
from app.core.model import Chunk, Completion, StreamEvent, Weight
from app.core.stream import weight_of

PIECE_CHARS: Final = 128  # longest piece of a text, some 25 words: a page takes few events

HEAD: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")  # in every chunk
_TEXTS: Final = ("reasoning_content", "reasoning", "content", "refusal")  # in the order in which models write them
_CALLS: Final = (("function", "arguments"), ("custom", "input"))
_PIECE: Final = re.compile(rf"(?s).{{1,{PIECE_CHARS}}}(?!\S)|.{{1,{PIECE_CHARS}}}")
_CHUNK: Final = msgspec.json.Decoder(Chunk)
_DATA: Final = b"data: "
_END: Final = b"\n\n"
_DONE: Final = StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)


class _Whole(msgspec.Struct, frozen=True):
    choices: list[Members]
    usage: Members | None = None


_WHOLE: Final = msgspec.json.Decoder(_Whole)


def replay(completion: Completion, *, include_usage: bool) -> list[StreamEvent]:
    """
    Return the events of a stream of the answer: for each choice its role, its pieces and its finish reason.

    With `include_usage`, and if the usage is known, it has a chunk of its own before `[DONE]`.

    Raises:
        msgspec.MsgspecError: The answer is not a chat completion in OpenAI's dialect.
    """
    whole = _WHOLE.decode(completion.raw)
    body: Members = msgspec.json.decode(completion.raw)
    usage = whole.usage if include_usage else None
    writer = _Writer(body, has_usage=usage is not None)
    events = [writer.event(piece) for choice in whole.choices for piece in _pieces(choice)]
    if usage is not None:
        events.append(writer.usage(usage))
    return [*events, _DONE]


def event_of(frame: bytes) -> StreamEvent:
    """Return the event of a frame that the gateway itself wrote."""
    return _DONE if frame == _DONE.frame else _event(frame[len(_DATA) : -len(_END)])


class _Writer:
    """Writes chunks around pieces of choices. Other fields of the answer than `HEAD` are in the first one only."""

    def __init__(self, body: Members, *, has_usage: bool) -> None:
        kind = {"object": "text_completion" if body.get("object") == "text_completion" else "chat.completion.chunk"}
        head = {name: body[name] for name in HEAD if name in body} | kind
        more = {name: body[name] for name in body.keys() - {*HEAD, "choices", "usage"}}
        self._head = msgspec.json.encode(head)[:-1]
        self._more = b"," + msgspec.json.encode(more)[1:-1] if more else b""
        self._end = b',"usage":null}' if has_usage else b"}"

    def event(self, piece: Members) -> StreamEvent:
        """Return the event with one piece of one choice."""
        more, self._more = self._more, b""
        return _event(b'%b%b,"choices":[%b]%b' % (self._head, more, msgspec.json.encode(piece), self._end))

    def usage(self, usage: Members) -> StreamEvent:
        """Return the event with the usage."""
        return _event(b'%b,"choices":[],"usage":%b}' % (self._head, msgspec.json.encode(usage)))


def _event(data: bytes) -> StreamEvent:
    try:
        chunk = _CHUNK.decode(data)
    except msgspec.ValidationError:  # unknown forms are forwarded, too
        return StreamEvent(b"".join((_DATA, data, _END)), None, Weight.ANSWER)
    weights = [Weight.ANSWER if choice.finish_reason else weight_of(choice.delta) for choice in chunk.choices]
    return StreamEvent(b"".join((_DATA, data, _END)), chunk, max(weights, default=Weight.NOTHING))


def _pieces(choice: Members) -> Iterator[Members]:
    """Cut a choice of a whole answer into pieces for a stream."""
    more = {name: choice[name] for name in choice.keys() - {"index", "message", "text", "finish_reason", "logprobs"}}
    logprobs = choice.get("logprobs")
    base = {"index": choice.get("index", 0)} | ({"logprobs": None} if "logprobs" in choice else {})
    for piece, has_tokens in _contents(choice, in_one=bool(logprobs)):
        with_logprobs = {"logprobs": logprobs} if logprobs and has_tokens else {}
        yield base | piece | {"finish_reason": None} | with_logprobs
        logprobs = None if with_logprobs else logprobs
    with_logprobs = {"logprobs": logprobs} if logprobs else {}
    last: Members = {"text": ""} if "text" in choice else {"delta": {}}
    yield base | last | with_logprobs | {"finish_reason": choice.get("finish_reason")} | more


def _contents(choice: Members, *, in_one: bool) -> Iterator[tuple[Members, bool]]:
    """Cut the content of a choice; yields each piece with whether `logprobs` may refer to its tokens."""
    text = choice.get("text")
    if isinstance(text, str):
        yield from (({"text": piece}, True) for piece in ([text] if in_one else _PIECE.findall(text)))
        return
    for delta in _deltas(choice.get("message") or {}, whole_texts=in_one):
        yield {"delta": delta}, bool(delta.get("content") or delta.get("refusal"))


def _deltas(message: Members, *, whole_texts: bool) -> Iterator[Members]:
    """Cut a message into deltas; the first has the role, and every member that is not cut."""
    texts = {name: message[name] for name in _TEXTS if message.get(name)}
    calls = message.get("tool_calls") or ()
    rest = {
        name: value for name, value in message.items() if name not in texts and not (calls and name == "tool_calls")
    }
    yield {"role": "assistant", "content": "" if isinstance(texts.get("content"), str) else None} | rest
    for name, text in texts.items():
        whole = whole_texts or not isinstance(text, str)
        yield from ({name: piece} for piece in ([text] if whole else _PIECE.findall(text)))
    for index, call in enumerate(calls):
        yield from ({"tool_calls": [piece]} for piece in _call_pieces(index, call))


def _call_pieces(index: int, call: Members) -> Iterator[Members]:
    """Cut a tool call: everything but its input first, then the input."""
    for kind, text in _CALLS:
        function = call.get(kind)
        if isinstance(function, dict) and isinstance(function.get(text), str):
            yield {"index": index} | call | {kind: function | {text: ""}}
            yield from ({"index": index, kind: {text: piece}} for piece in _PIECE.findall(function[text]))
            return
    yield {"index": index} | call
