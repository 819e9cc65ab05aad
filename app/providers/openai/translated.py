"""
A request that came in another dialect, as a server of OpenAI's takes it.

The canonical form says more than OpenAI's: what a client of that form writes itself goes to the provider as it is, but
what the gateway wrote in translating is reduced to what the provider knows. Harmless marks and parameters are left out
and reported, everything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ChatRequest
from app.providers.canonical.chat_request import Json
from app.providers.canonical.unsupported import dropped, unsupported
from app.providers.openai.quirks import bounds_completions, reasons

NAME: Final = "A provider of OpenAI's form"
# https://platform.openai.com/docs/api-reference/chat/create
_KNOWN: Final = frozenset(
    {
        "model", "messages", "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
        "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier",
        "stop", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
        "verbosity", "web_search_options",
    }
)  # fmt: skip
_PARTS: Final = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
_TOOLS: Final = frozenset({"function", "custom"})
_MARKS: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})  # a server without them caches as it likes
# No loss to who cannot read them.
_UNSEEN: Final = frozenset({"reasoning_content", "reasoning_details", "extra_content", "is_error"})
_TOOL_MEMBERS: Final = frozenset({"type", "function", "custom"})
_SEE_BELOW: Final = "The pictures of this result follow in the next message."


def plain_chat(request: ChatRequest, model: str, takes: AbstractSet[str]) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the body without anything that is not OpenAI's, and the names of the fields that it does without.

    `takes` are the members beyond OpenAI's that this provider knows, as `reasoning_content`.
    """
    members = OBJECT.decode(request.raw)
    lost = list(dropped(members, _KNOWN | takes | {"thinking", "reasoning"}, NAME))
    body: Json = {name: value for name, value in members.items() if name in _KNOWN or name in takes}
    body["model"] = model
    body["messages"] = _Messages(takes, lost).reduced(msgspec.json.decode(members["messages"], type=list[Json]))
    if "tools" in body:
        tools = msgspec.json.decode(members["tools"], type=list[dict[str, msgspec.Raw]])
        body["tools"] = [_tool(tool, index, takes, lost) for index, tool in enumerate(tools)]
    if "reasoning_effort" in body and not reasons(model):
        del body["reasoning_effort"]
        lost.append("reasoning_effort")
    if "max_tokens" in body and bounds_completions(model):
        body["max_completion_tokens"] = body.pop("max_tokens")
    return msgspec.json.encode(body), tuple(dict.fromkeys(lost))


def _tool(
    tool: Mapping[str, msgspec.Raw], index: int, takes: AbstractSet[str], lost: list[str]
) -> dict[str, msgspec.Raw]:
    kind = msgspec.json.decode(tool["type"], type=str)
    if kind not in _TOOLS:
        raise unsupported(f"tools[{index}].type", NAME, f"it has no tools of type {kind[:40]!r}")
    known = _TOOL_MEMBERS | takes
    lost += [name for name in tool if name not in known and name not in _MARKS]
    return {name: value for name, value in tool.items() if name in known}


class _Messages:
    """The messages, one after the other; pictures in results of tools wait for the end of the results."""

    def __init__(self, takes: AbstractSet[str], lost: list[str]) -> None:
        self._takes = takes
        self._left_out = (_MARKS | _UNSEEN) - takes
        self._lost = lost
        self._waiting: list[Json] = []
        self._found: list[Json] = []

    def reduced(self, messages: Sequence[Json]) -> list[Json]:
        """Return the messages that a provider of OpenAI's form takes."""
        for place, message in enumerate(messages):
            found = self._message(message, f"messages[{place}]")
            if message["role"] == "user" and self._waiting:
                found["content"] = [*self._waiting, *_as_parts(found["content"])]
                self._waiting = []
            elif message["role"] != "tool":
                self._show_waiting()
            self._found.append(found)
        self._show_waiting()
        return self._found

    def _show_waiting(self) -> None:
        if self._waiting:
            self._found.append({"role": "user", "content": self._waiting})
            self._waiting = []

    def _message(self, message: Json, where: str) -> Json:
        found = {name: value for name, value in message.items() if name not in self._left_out}
        for call in found.get("tool_calls", ()):
            for name in self._left_out & call.keys():
                del call[name]
        content = found.get("content")
        if isinstance(content, list):
            parts = [self._part(part, f"{where}.content[{index}]") for index, part in enumerate(content)]
            found["content"] = self._result(parts) if message["role"] == "tool" else _simplest(parts)
        return found

    def _result(self, parts: Sequence[Json]) -> str | list[Json]:
        """Return the text of a tool's result, which is all that it may hold, and let the rest wait."""
        texts = [part for part in parts if part["type"] == "text"]
        self._waiting += [part for part in parts if part["type"] != "text"]
        return _simplest(texts) if texts else _SEE_BELOW

    def _part(self, part: Json, where: str) -> Json:
        if part["type"] not in _PARTS:
            raise unsupported(f"{where}.type", NAME, f"it has no parts of type {part['type'][:40]!r}")
        if "file_url" in part.get("file", ()):
            raise unsupported(f"{where}.file.file_url", NAME, "it takes documents themselves, and fetches none")
        if part["type"] == "file" and "citations" in part:
            self._lost.append("citations")
        return {name: value for name, value in part.items() if name in {"type", part["type"]} or name in self._takes}


def _as_parts(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _simplest(parts: Sequence[Json]) -> str | list[Json]:
    """Return texts as one text, which servers take that know no parts."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n\n".join([part["text"] for part in parts])
    return list(parts)
