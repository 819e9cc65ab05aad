"""The three dialects from behind: what a provider says in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from tests.e2e.support.answers import streamed, whole
from tests.e2e.support.upstream import Script

Json: TypeAlias = dict[str, Any]

TEXT, THOUGHT = "Grüß dich 👋", "Let me see."
TOOL, ARGUMENTS = "get_weather", {"city": "Rome"}
TOOLS_TEXT = "I look."


class Heard(NamedTuple):
    """What a client understood."""

    text: str = ""
    thought: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    finish: str = ""
    tokens: tuple[int, int, int] = (0, 0, 0)  # of the prompt, of those from the cache, of the answer


SAID = {
    "text": Heard(TEXT, finish="end", tokens=(20, 8, 5)),
    "thinking": Heard(TEXT, THOUGHT, finish="end", tokens=(20, 8, 5)),
    "tools": Heard(TOOLS_TEXT, calls=((TOOL, ARGUMENTS), ("now", {})), finish="tools", tokens=(20, 8, 5)),
    "weather": Heard(TOOLS_TEXT, calls=((TOOL, ARGUMENTS),), finish="tools", tokens=(20, 8, 5)),
    "cut": Heard(TEXT, finish="length", tokens=(20, 8, 5)),
}


def script(dialect: str, case: str, *, stream: bool, said: Heard | None = None) -> Script:
    """Return what a provider of `dialect` answers: a `case`, or something else that is `said`."""
    told = said or SAID[case]
    if stream:
        return streamed(*_STREAMS[dialect](told))
    return whole(json.dumps(_WHOLE[dialect](told)).encode())


def _chat(said: Heard) -> Json:
    message: Json = {"role": "assistant", "content": said.text, "refusal": None}
    if said.thought:
        message["reasoning_content"] = said.thought
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{place}", "type": "function", "function": _function(name, json.dumps(arguments))}
            for place, (name, arguments) in enumerate(said.calls)
        ]
    finish = {"end": "stop", "tools": "tool_calls", "length": "length"}[said.finish]
    choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": _CHAT_USAGE,
    }


_CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 5,
    "total_tokens": 25,
    "prompt_tokens_details": {"cached_tokens": 8},
}


def _function(name: str, arguments: str) -> Json:
    return {"name": name, "arguments": arguments}


def _chat_stream(said: Heard) -> list[bytes]:
    finish = {"end": "stop", "tools": "tool_calls", "length": "length"}[said.finish]
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in _pieces(said.thought)]
    deltas += [{"content": piece} for piece in _pieces(said.text)]
    for place, (name, arguments) in enumerate(said.calls):
        first = {"index": place, "id": f"call_{place}", "type": "function", "function": _function(name, "")}
        more = [{"index": place, "function": {"arguments": piece}} for piece in _pieces(json.dumps(arguments))]
        deltas += [{"tool_calls": [piece]} for piece in (first, *more)]
    frames = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    frames.append(_chunk([{"index": 0, "delta": {}, "finish_reason": finish}]))
    return [*frames, _chunk([], usage=_CHAT_USAGE), b"data: [DONE]\n\n"]


def _chunk(choices: list[Json], **more: object) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _messages(said: Heard) -> Json:
    blocks: list[Json] = []
    if said.thought:
        blocks.append({"type": "thinking", "thinking": said.thought, "signature": "c2lnbmVk"})
    blocks.append({"type": "text", "text": said.text})
    blocks += [
        {"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": arguments}
        for place, (name, arguments) in enumerate(said.calls)
    ]
    return {**_message(blocks, said), "usage": {**_MESSAGES_USAGE, "output_tokens": 5}}


_MESSAGES_USAGE = {"input_tokens": 12, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 0}


def _message(blocks: list[Json], said: Heard | None) -> Json:
    stop = None if said is None else {"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}[said.finish]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks}
    return {**head, "stop_reason": stop, "stop_sequence": None}


def _messages_stream(said: Heard) -> list[bytes]:
    message = _messages(said)
    events: list[Json] = [{"type": "message_start", "message": {**_message([], None), "usage": _MESSAGES_USAGE}}]
    for index, block in enumerate(message["content"]):
        events += _block_events(index, block)
        events.append({"type": "ping"})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}, {"type": "message_stop"}]
    return [_named(event) for event in events]


def _block_events(index: int, block: Json) -> list[Json]:
    match block["type"]:
        case "text":
            start: Json = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            start = {**block, "input": {}}
            text = json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(text))]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def _named(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _response(said: Heard) -> Json:
    output: list[Json] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        output.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"})
    part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    output.append({"type": "message", "id": "m_1", "status": "completed", "role": "assistant", "content": [part]})
    output += [
        {"type": "function_call", "id": f"fc_{place}", "call_id": f"call_{place}", "name": name, "status": "completed"}
        | {"arguments": json.dumps(arguments)}
        for place, (name, arguments) in enumerate(said.calls)
    ]
    cut = said.finish == "length"
    return {
        **_RESPONSE,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": _RESPONSES_USAGE,
    }


_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "model": "m",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_RESPONSES_USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 25,
}


def _response_stream(said: Heard) -> list[bytes]:
    whole_response = _response(said)
    events: list[Json] = [{"type": "response.created", "response": _RESPONSE}]
    for index, item in enumerate(whole_response["output"]):
        events += _item_events(index, item)
    events.append({"type": f"response.{whole_response['status']}", "response": whole_response})
    return [_named({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _item_events(index: int, item: Json) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "message":
            (part,) = item["content"]
            begun, at = {**item, "status": "in_progress", "content": []}, {**at, "content_index": 0}
            inner = [{"type": "response.content_part.added", **at, "part": {**part, "text": ""}}]
            inner += [
                {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
                for piece in _pieces(part["text"])
            ]
            inner.append({"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []})
            inner.append({"type": "response.content_part.done", **at, "part": part})
        case "reasoning":
            begun, at = {**item, "summary": []}, {**at, "summary_index": 0}
            (summary,) = item["summary"]
            inner = [{"type": "response.reasoning_summary_part.added", **at, "part": {**summary, "text": ""}}]
            inner += [
                {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
                for piece in _pieces(summary["text"])
            ]
            inner.append({"type": "response.reasoning_summary_text.done", **at, "text": summary["text"]})
        case _:
            begun = {**item, "status": "in_progress", "arguments": ""}
            inner = [
                {"type": "response.function_call_arguments.delta", **at, "delta": piece}
                for piece in _pieces(item["arguments"])
            ]
            done = {"name": item["name"], "arguments": item["arguments"]}
            inner.append({"type": "response.function_call_arguments.done", **at, **done})
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _pieces(text: str) -> list[str]:
    """Cut a text in three."""
    third = len(text) // 3 + 1
    return [text[start : start + third] for start in range(0, len(text), third)]


_WHOLE: Mapping[str, Callable[[Heard], Json]] = {"chat": _chat, "anthropic": _messages, "responses": _response}
_STREAMS: Mapping[str, Callable[[Heard], list[bytes]]] = {
    "chat": _chat_stream,
    "anthropic": _messages_stream,
    "responses": _response_stream,
}
