"""Translate the conversation of a Responses request to canonical messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from app.api.dialects.translated import simplest
from app.core.dialects.absent import given_in, is_given
from app.core.dialects.reasoning import RESPONSES_FORMAT, ReasoningDetail, restore_extras, unsealed
from app.core.dialects.responses import RESPONSES, ContentPart, Item, ResponsesBody
from app.core.errors import INVALID_REQUEST, GatewayError

Json: TypeAlias = dict[str, Any]
_ROLES = ("user", "assistant", "system", "developer")
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


class _RawBody(msgspec.Struct):
    input: list[msgspec.Raw]


def messages_of(body: ResponsesBody, raw: bytes) -> list[Json]:
    """
    Return the messages of a chat request; `raw` is the body, for items that have no canonical form.

    Raises:
        GatewayError: INVALID_REQUEST with `param`.
    """
    messages: list[Json] = [{"role": "system", "content": body.instructions}] if body.instructions else []
    if isinstance(body.input, str):
        return [*messages, {"role": "user", "content": body.input}]
    conversation = _Conversation(messages)
    for index, item in enumerate(body.input or ()):
        where = f"input[{index}]"
        match item.type or "message":
            case "message":
                conversation.message(item, where)
            case "reasoning":
                conversation.reasoning(item)
            case "function_call":
                conversation.call(_call(item, where))
            case "custom_tool_call":
                conversation.call(_custom_call(item, where))
            case kind if kind in _OUTPUTS:
                conversation.other(_output(item, where))
            case kind:
                conversation.foreign(kind, msgspec.json.decode(raw, type=_RawBody).input[index])
    for message in conversation.messages:
        restore_extras(message)
    return conversation.messages


class _Conversation:
    """Collects messages; consecutive reasoning, text and calls are joined into one message of the assistant."""

    def __init__(self, messages: list[Json]) -> None:
        self.messages = messages

    def message(self, item: Item, where: str) -> None:
        """Add a message."""
        if item.role not in _ROLES:
            message = "A message's role must be 'user', 'assistant', 'system' or 'developer'."
            raise GatewayError(INVALID_REQUEST, message, param=f"{where}.role")
        if item.content is None:
            raise GatewayError(INVALID_REQUEST, f"The field '{where}.content' is missing.", param=f"{where}.content")
        content = _content(item.content, where)
        if item.role == "assistant":
            turn = self._assistant()
            before = turn["content"]
            turn["content"] = content if before is None else [*_as_parts(before), *_as_parts(content)]
        else:
            self.other({"role": item.role, "content": content})

    def reasoning(self, item: Item) -> None:
        """Add reasoning, which belongs to the next message or call."""
        turn = self._assistant()
        parts = [*(item.summary or ()), *(item.content if isinstance(item.content, list) else ())]
        prose = "\n\n".join([part.text for part in parts if part.text])
        turn["reasoning_content"] = turn.get("reasoning_content", "") + prose
        turn["reasoning_details"] = [*turn.get("reasoning_details", ()), *_details(item, prose)]

    def call(self, call: Json) -> None:
        """Add a tool call."""
        turn = self._assistant()
        turn["tool_calls"] = [*turn.get("tool_calls", ()), call]

    def other(self, message: Json) -> None:
        """Add a message that is not the assistant's."""
        self.messages.append(message)

    def foreign(self, kind: str, original: msgspec.Raw) -> None:
        """Add an item that only a provider of the same dialect can read; all other codecs refuse its type."""
        part = {"type": kind, "dialect": RESPONSES, "block": original}
        self.other({"role": "assistant", "content": [part]})

    def _assistant(self) -> Json:
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        return self.messages[-1]


def _as_parts(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _details(item: Item, prose: str) -> list[ReasoningDetail]:
    hidden = item.encrypted_content
    restored = unsealed(hidden) if hidden else []
    if restored is not None:
        return restored or ([ReasoningDetail("reasoning.text", text=prose)] if prose else [])
    texts = item.content if isinstance(item.content, list) else ()
    return [
        *[_detail(item, "reasoning.summary", summary=part.text or "") for part in item.summary or ()],
        *[_detail(item, "reasoning.text", text=part.text or "") for part in texts],
        _detail(item, "reasoning.encrypted", data=hidden),
    ]


def _detail(
    item: Item, kind: str, *, text: str | None = None, summary: str | None = None, data: str | None = None
) -> ReasoningDetail:
    return ReasoningDetail(kind, text, summary=summary, data=data, id=item.id, format=RESPONSES_FORMAT)


def _call(item: Item, where: str) -> Json:
    function = {"name": item.name or "", "arguments": _text(item.arguments, f"{where}.arguments")}
    return {"id": _call_id(item, where), "type": "function", "function": function}


def _custom_call(item: Item, where: str) -> Json:
    custom = {"name": item.name or "", "input": _text(item.input, f"{where}.input")}
    return {"id": _call_id(item, where), "type": "custom", "custom": custom}


def _output(item: Item, where: str) -> Json:
    try:
        output = msgspec.json.decode(item.output or b'""', type=str | list[ContentPart])
    except msgspec.ValidationError as error:
        param = f"{where}.output"
        raise GatewayError(INVALID_REQUEST, f"{param!r} must be text or a list of parts.", param=param) from error
    content = _content(output, f"{where}.output") if output else ""
    return {"role": "tool", "tool_call_id": _call_id(item, where), "content": content}


def _call_id(item: Item, where: str) -> str:
    call_id = item.call_id or item.id
    if not call_id:
        raise GatewayError(INVALID_REQUEST, f"The field '{where}.call_id' is missing.", param=f"{where}.call_id")
    return call_id


def _text(raw: msgspec.Raw, param: str) -> str:
    if not is_given(raw):
        return ""
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.ValidationError as error:
        raise GatewayError(INVALID_REQUEST, f"{param!r} must be text.", param=param) from error


def _content(content: str | Sequence[ContentPart], where: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    return simplest([_part(part, f"{where}.content[{index}]") for index, part in enumerate(content)])


def _part(part: ContentPart, where: str) -> Json:
    match part.type:
        case "input_text" | "output_text" | "text":
            result: Json = {"type": "text", "text": part.text or ""}
        case "refusal":
            result = {"type": "refusal", "refusal": part.refusal or ""}
        case "input_image" if part.image_url is not None:
            result = {
                "type": "image_url",
                "image_url": given_in({"url": part.image_url, "detail": _image_detail(part.detail)}),
            }
        case "input_file":
            names = ("file_data", "file_id", "file_url", "filename")
            result = {"type": "file", "file": given_in({name: getattr(part, name) for name in names})}
        case "input_audio" if is_given(part.input_audio):
            result = {"type": "input_audio", "input_audio": part.input_audio}
        case "input_image":
            # named by the id of an upload, which chat completions cannot express
            own = msgspec.Raw(msgspec.json.encode(part))
            result = {"type": "input_image", "dialect": RESPONSES, "block": own}
        case _:
            message = f"There are no parts of type {part.type[:40]!r} here."
            raise GatewayError(INVALID_REQUEST, message, param=f"{where}.type")
    if is_given(part.prompt_cache_breakpoint):
        result["prompt_cache_breakpoint"] = part.prompt_cache_breakpoint
    return result


def _image_detail(detail: str | None) -> str | None:
    """Return the detail level of an image, or None for the default, which the Responses API sends explicitly."""
    return None if detail == "auto" else detail
