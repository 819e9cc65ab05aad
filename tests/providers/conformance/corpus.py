"""What the suite compares: requests and answers through a codec, in a form that can be kept in files and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.core.call import Target
from app.core.errors import GatewayError
from app.core.model import ChatFields, ChatRequest, Completion, Operation, PlainRequest, StreamEvent
from app.core.usage import Usage
from tests.providers.conformance.dialects import GOLDEN, Dialect

REQUESTS = sorted(path.stem for path in (GOLDEN / "canonical" / "requests").glob("*.json"))

OPERATIONS: Mapping[Operation, dict[str, object]] = {
    Operation.EMBEDDINGS: {"input": "a"},
    Operation.RERANK: {"query": "a", "documents": ["b"]},
    Operation.COMPLETIONS: {"prompt": "a"},
    Operation.MODERATIONS: {"input": "a"},
    Operation.IMAGES: {"prompt": "a"},
    Operation.SPEECH: {"input": "a", "voice": "b"},
    Operation.TRANSCRIPTIONS: {"file": "a"},
}
_EMBEDDING = {"bedrock": "amazon.titan-embed-text-v2:0"}  # where the form depends on the model


def chat(raw: bytes) -> ChatRequest:
    """Decode a request as the edge does."""
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def request(name: str, **fields: object) -> ChatRequest:
    """Return a recorded request, with `fields` changed."""
    raw = GOLDEN.joinpath("canonical", "requests", f"{name}.json").read_bytes()
    return chat(msgspec.json.encode({**msgspec.json.decode(raw), **fields}))


def asked(*, stream: bool = False, usage: bool = True) -> ChatRequest:
    """Return the request that recorded answers answer."""
    return request("text", stream=stream, stream_options={"include_usage": usage})


def encoded(dialect: Dialect, name: str) -> dict[str, Any]:
    """Return what becomes of a recorded request, or the part that is refused."""
    try:
        found = dialect.codec().encode(request(name), Target("p", dialect.tag))
    except GatewayError as error:
        return {"refused": error.kind.code, "param": error.param}
    body = msgspec.json.decode(found.body)
    return {"path": found.path, "headers": dict(found.headers), "dropped": list(found.dropped), "body": body}


def encoded_operation(dialect: Dialect, operation: Operation) -> dict[str, Any]:
    """Return what becomes of an operation that is no chat."""
    raw = msgspec.json.encode({"model": "m", **OPERATIONS[operation]})
    try:
        found = dialect.codec().encode(
            PlainRequest(operation, "m", raw), Target("p", _EMBEDDING.get(dialect.name, "m"))
        )
    except GatewayError as error:
        return {"refused": error.kind.code, "param": error.param}
    return {"path": found.path, "body": msgspec.json.decode(found.body)}


def decoded(dialect: Dialect, body: bytes) -> Completion:
    """Return a whole answer as the codec reads it."""
    return dialect.codec().decode(body, asked())


def streamed(dialect: Dialect, pieces: list[bytes], *, usage: bool = True) -> list[StreamEvent]:
    """Return the events of a stream that comes in these pieces and then ends."""
    decoder = dialect.codec().decoder(asked(stream=True, usage=usage))
    events = [event for piece in pieces for event in decoder.feed(piece)]
    if not decoder.done:
        events += decoder.end()
    assert decoder.done
    return events


def frames(events: list[StreamEvent]) -> bytes:
    """Return what a client is sent."""
    return b"".join(event.frame for event in events)


def put_together(events: list[StreamEvent]) -> dict[int, dict[str, Any]]:
    """Return what a client makes of a stream: for each choice its text, thoughts, calls and finish reason."""
    choices: dict[int, dict[str, Any]] = {}
    for event in events:
        for choice in event.chunk.choices if event.chunk is not None else ():
            one = choices.setdefault(choice.index, {"text": "", "thoughts": "", "calls": {}, "finish": None})
            one["text"] += choice.delta.content or ""
            one["thoughts"] += choice.delta.reasoning_content or ""
            for call in choice.delta.tool_calls or ():
                held = one["calls"].setdefault(call.index, {"id": None, "name": None, "arguments": ""})
                held["id"] = held["id"] or call.id
                held["name"] = held["name"] or (call.function and call.function.name)
                held["arguments"] += (call.function and call.function.arguments) or ""
            one["finish"] = choice.finish_reason or one["finish"]
    return choices


def usage_in(events: list[StreamEvent]) -> Usage | None:
    """Return the usage that a stream told last."""
    told = [event.chunk.usage for event in events if event.chunk is not None and event.chunk.usage is not None]
    return told[-1] if told else None
