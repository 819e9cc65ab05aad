"""Bodies that are wrong: no JSON, too deep, or with a field that does not fit."""

from __future__ import annotations

from collections.abc import Mapping

USER = {"role": "user", "content": "x"}


def asking(**fields: object) -> dict[str, object]:
    """Return a good body with these fields added or replaced."""
    return {"model": "sim/echo", "messages": [USER], **fields}


def saying(*messages: object) -> dict[str, object]:
    """Return a body with these messages."""
    return asking(messages=messages)


NOT_JSON: Mapping[str, bytes] = {
    "nothing": b"",
    "text": b"hello",
    "cut": b'{"model": "sim/echo", "messages": [{"role": "us',
    "trailing comma": b'{"model": "sim/echo", "messages": [],}',
    "two values": b'{"model": "sim/echo", "messages": []} {}',
    "not a number": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
    "infinity": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "x"}], "anything": Infinity}',
    "lone surrogate": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "\\ud83d"}]}',
    "latin-1": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "\xe9"}]}',
    "control": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "a\nb"}]}',
}

# What is valid JSON to a parser that does not look closely, in fields that the gateway does not read.
NOT_JSON_INSIDE: Mapping[str, bytes] = {
    "lone surrogate": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "x"}], "a": "\\ud83d"}',
    "latin-1": b'{"model": "sim/echo", "messages": [{"role": "user", "content": "x"}], "a": "\xe9"}',
    "latin-1 in a schema": b'{"model":"sim/echo","messages":[{"role":"user"}],"response_format":{"a":"\xe9"}}',
    "latin-1 in a name": b'{"model":"sim/echo","messages":[{"role":"user"}],"\xe9":1}',
}

TOO_DEEP: Mapping[str, bytes] = {
    "list": b"[" * 100_000,
    "objects": b'{"model":' * 20_000,
    "unknown field": b'{"model":"sim/echo","messages":[],"x":' + b"[" * 100_000,
    "messages": b'{"model":"sim/echo","messages":' + b"[" * 100_000,
    "valid": b'{"model":"sim/echo","messages":[{"role":"user"}],"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
}

# Each with the path of the field that has to be named; None where it is the body itself.
WRONG: Mapping[str, tuple[object, str | None]] = {
    "a list": ([], None),
    "a text": ("hi", None),
    "null": (None, None),
    "no model": ({"messages": []}, "model"),
    "no messages": ({"model": "sim/echo"}, "messages"),
    "model is null": (asking(model=None), "model"),
    "model is a number": (asking(model=4), "model"),
    "model is empty": (asking(model=""), "model"),
    "no message": (saying(), "messages"),
    "messages is text": (asking(messages="hi"), "messages"),
    "message is text": (saying(USER, "hi"), "messages[1]"),
    "no role": (saying({"content": "x"}), "messages[0].role"),
    "role is a number": (saying(USER, {"role": 1}), "messages[1].role"),
    "content is a number": (saying({"role": "user", "content": 5}), "messages[0].content"),
    "part is a number": (saying({"role": "user", "content": [{"type": "text"}, 5]}), "messages[0].content[1]"),
    "part without type": (saying(USER, {"role": "user", "content": [{"text": "x"}]}), "messages[1].content[0].type"),
    "text of a part": (
        saying(USER, {"role": "user", "content": [{"type": "text", "text": 1}]}),
        "messages[1].content[0].text",
    ),
    "arguments of a call": (
        saying(USER, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
        "messages[1].tool_calls[0].function.arguments",
    ),
    "stream": (asking(stream="yes"), "stream"),
    "temperature": (asking(temperature="hot"), "temperature"),
    "max_tokens": (asking(max_tokens=1.5), "max_tokens"),
    "stop": (asking(stop=["a", 1]), "stop[1]"),
    "prompt_cache_key": (asking(prompt_cache_key=1), "prompt_cache_key"),
    "tool": (asking(tools=[{"type": "function"}, {"function": {"name": "f"}}]), "tools[1].type"),
    "stream_options": (asking(stream_options={"include_usage": 1}), "stream_options.include_usage"),
    "control character": (saying({"role": "user", "content": "a\x00b"}), "messages[0].content"),
}
