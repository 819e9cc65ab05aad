"""
What translation costs: `python -m loadtests.translation [ROUNDS]`, in CPU µs of this process alone.

For each dialect behind the gateway: a request of 3 KB with five tools from chat completions and from Messages, and an
event of its stream to one of chat completions. For each dialect in front: an event written. Medians, at rest.
"""

from __future__ import annotations

import asyncio
import statistics
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from app.api.dialects.anthropic.request import messages_request
from app.api.dialects.anthropic.stream import MessageEvents
from app.api.dialects.responses.answer import Frame
from app.api.dialects.responses.request import responses_request
from app.api.dialects.responses.stream import ResponseEvents
from app.core.call import Target
from app.core.model import ChatFields, ChatRequest
from app.core.ports import Codec
from app.providers.canonical.stamps import Mint
from app.providers.openai.codec import OpenAiCodec
from app.providers.registry import CODECS, Build
from loadtests.yardstick import QUIET_US, yardstick_us

_EVENTS: Final = 500
_CALLS: Final = 200
_BUDGET_REQUEST_US, _BUDGET_EVENT_US = 40, 8
_MODELS: Final[Mapping[str, str]] = {
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "anthropic.claude-sonnet-4-5-v1:0",
    "cohere": "command-a-03-2025",
    "gemini": "gemini-2.5-flash",
    "ollama": "llama3.2",
    "openai-responses": "gpt-5",
}


class Cost(NamedTuple):
    """A median, in CPU µs of a quiet machine."""

    what: str
    us: float
    budget_us: int


def measure(rounds: int) -> list[Cost]:
    """Measure everything in turns, so that a slow minute of the machine falls on all of it."""
    works = [*_encodings(), *_readings(), *_decodings(), *_writings()]
    found: dict[str, list[float]] = {name: [] for name, _, _ in works}
    for _ in range(rounds):
        slowness = max(1.0, asyncio.run(yardstick_us()) / QUIET_US)
        for name, work, times in works:
            began_s = time.process_time()
            work()
            found[name].append((time.process_time() - began_s) / times * 1e6 / slowness)
    budgets = {name: _BUDGET_REQUEST_US if times == _CALLS else _BUDGET_EVENT_US for name, _, times in works}
    return [Cost(name, statistics.median(values), budgets[name]) for name, values in found.items()]


_Work = tuple[str, Callable[[], object], int]


def _build() -> Build:
    return Build(Mint(lambda: 0.0, lambda: 0.5))


def _encodings() -> list[_Work]:
    request = _request()
    works: list[_Work] = []
    for name, model in _MODELS.items():
        codec, target = CODECS[name](_build()), Target("p", model)
        works.append((f"chat to {name}, request", _times(partial(codec.encode, request, target)), _CALLS))
    return works


def _readings() -> list[_Work]:
    request = _request()
    messages = CODECS["anthropic"](_build()).encode(request, Target("p", _MODELS["anthropic"])).body
    responses = CODECS["openai-responses"](_build()).encode(request, Target("p", _MODELS["openai-responses"])).body
    codec, target = OpenAiCodec(), Target("p", "m")
    works: list[_Work] = [
        ("responses to chat, request", _times(lambda: codec.encode(responses_request(responses), target)), _CALLS),
        ("messages to chat, request", _times(partial(_across, codec, target, messages)), _CALLS),
    ]
    for name, model in _MODELS.items():
        if name != "anthropic":
            work = partial(_across, CODECS[name](_build()), Target("p", model), messages)
            works.append((f"messages to {name}, request", _times(work), _CALLS))
    return works


def _decodings() -> list[_Work]:
    request = _request()
    works: list[_Work] = []
    for name, pieces in _streams().items():
        codec = CODECS[name](_build())
        works.append((f"{name} to chat, event", partial(_decode, codec, request, pieces), _EVENTS))
    return works


def _writings() -> list[_Work]:
    decoder = OpenAiCodec().decoder(_request())
    events = [event for piece in _chat_stream() for event in decoder.feed(piece)]
    return [
        ("chat to messages, event", lambda: _fed(MessageEvents("msg_1", "m").events, [[it] for it in events]), _EVENTS),
        (
            "chat to responses, event",
            lambda: _fed(ResponseEvents(Frame("1", b"{}", 1), "m").events, [[it] for it in events]),
            _EVENTS,
        ),
    ]


def _times(work: Callable[[], object]) -> Callable[[], None]:
    def several() -> None:
        for _ in range(_CALLS):
            work()

    return several


def _across(codec: Codec, target: Target, body: bytes) -> None:
    codec.encode(messages_request(body), target)


def _decode(codec: Codec, request: ChatRequest, pieces: Sequence[bytes]) -> None:
    _fed(codec.decoder(request).feed, pieces)


def _fed(feed: Callable[..., object], pieces: Sequence[object]) -> None:
    for piece in pieces:
        feed(piece)


def _request() -> ChatRequest:
    """Return a request of 3 KB: a system prompt, a conversation with a call and its result, five tools."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where."}},
        "required": ["city"],
    }
    tools = [
        {"type": "function", "function": {"name": f"tool_{n}", "description": "Tell of it. " * 8, "parameters": schema}}
        for n in range(5)
    ]
    call = {"id": "call_1", "type": "function", "function": {"name": "tool_1", "arguments": '{"city":"Oslo"}'}}
    messages = [
        {"role": "system", "content": "Be brief. " * 60},
        {"role": "user", "content": "How is the weather in Oslo? " * 10},
        {"role": "assistant", "content": "Let me look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "It is sunny. " * 20},
    ]
    body = {"model": "m", "messages": messages, "tools": tools, "temperature": 0.5, "max_tokens": 900, "stream": True}
    raw = msgspec.json.encode(body)
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def _streams() -> dict[str, list[bytes]]:
    """Return a beginning and then the same piece of text again and again, as each provider sends it."""
    begun = {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
    part = {"candidates": [{"content": {"parts": [{"text": " word"}], "role": "model"}, "index": 0}]}
    piece = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": " word"}}}}
    created = {"type": "response.created", "response": {"id": "r", "object": "response", "output": []}}
    delta = {
        "type": "response.output_text.delta",
        "item_id": "i",
        "output_index": 0,
        "content_index": 0,
        "delta": " word",
    }
    converse = {"contentBlockIndex": 0, "delta": {"text": " word"}, "p": "abcdef"}
    return {
        "anthropic": [_named(begun), _named(block), *[_named(text)] * _EVENTS],
        "bedrock": [_aws("contentBlockDelta", converse)] * _EVENTS,
        "cohere": [_named({"type": "message-start", "id": "c"}), *[_named(piece)] * _EVENTS],
        "gemini": [b"data: " + msgspec.json.encode(part) + b"\n\n"] * _EVENTS,
        "ollama": [msgspec.json.encode({"message": {"role": "assistant", "content": " word"}}) + b"\n"] * _EVENTS,
        "openai-responses": [_named(created), *[_named(delta)] * _EVENTS],
    }


def _chat_stream() -> list[bytes]:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": " word"}, "finish_reason": None}
    return [b"data: " + msgspec.json.encode({**chunk, "choices": [choice]}) + b"\n\n"] * _EVENTS


def _named(event: Mapping[str, object]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


def _aws(event: str, payload: dict[str, object]) -> bytes:
    headers = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value
        for name, value in ((b":event-type", event.encode()), (b":message-type", b"event"))
    )
    body = msgspec.json.encode(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    costs = measure(int(arguments[0]) if arguments else 15)
    lines = ["| translation | CPU µs at rest | at most | |", "|---|---:|---:|---|"]
    for cost in costs:
        verdict = "met" if cost.us <= cost.budget_us else "missed"
        lines.append(f"| {cost.what} | {cost.us:.1f} | {cost.budget_us} | {verdict} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
