"""
A Responses request, from OpenAI's newer form to the canonical one.

What the canonical form has no word for stays in the body under its own name: a codec that knows it finds it there, and
every other one reports it as dropped, or refuses it if the answer would not be the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from app.api.dialects.responses.items import messages_of
from app.core.bodies import decode_as
from app.core.dialects.absent import is_given
from app.core.dialects.responses import RESPONSES, Reasoning, ResponsesBody, ResponsesTool, TextConfig, TextFormat
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.members import OBJECT
from app.core.model import ChatFields, ChatRequest, Native

Json: TypeAlias = dict[str, Any]
# Translated, or about nothing but what OpenAI stores and shows again.
_TRANSLATED: Final = frozenset(ResponsesBody.__struct_fields__) | {"store", "stream_options", "metadata"}
_SAME: Final = (
    "model", "temperature", "top_p", "stream", "parallel_tool_calls", "user", "safety_identifier", "service_tier",
    "prompt_cache_key",
)  # fmt: skip
_OWN_CONTEXT: Final = frozenset({"previous_response_id", "conversation", "prompt"})  # may hold all that is to be said
_LOGPROBS: Final = "message.output_text.logprobs"


class ResponsesReader:
    """Reads Responses requests; one instance serves any number of them."""

    def __init__(self) -> None:
        self._fields = msgspec.json.Decoder(ChatFields)
        self._encode = msgspec.json.Encoder().encode

    def read(self, raw: bytes) -> ChatRequest:
        """
        Return the request in its canonical form, with the client's own body as its origin.

        Raises:
            GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
        """
        body, members = decode_as(ResponsesBody, raw), OBJECT.decode(raw)
        if not body.input and not _OWN_CONTEXT & members.keys():
            raise GatewayError(INVALID_REQUEST, "The field 'input' is missing.", param="input")
        canonical = self._encode(_canonical(body, members, raw))
        return ChatRequest(self._fields.decode(canonical), canonical, Native(RESPONSES, raw), translated=True)


def _canonical(body: ResponsesBody, members: Mapping[str, msgspec.Raw], raw: bytes) -> Json:
    given: Json = {
        **{name: getattr(body, name) for name in _SAME},
        "messages": messages_of(body, raw),
        "max_completion_tokens": body.max_output_tokens,
        "stream_options": {"include_usage": True} if body.stream else None,
        "tools": [_tool(tool, index, members) for index, tool in enumerate(body.tools or ())] or None,
        "tool_choice": _tool_choice(body.tool_choice),
        **_text(body.text or TextConfig()),
        **_reasoning(body.reasoning or Reasoning(), members),
        **_logprobs(body),
    }
    found = {name: value for name, value in given.items() if value is not None}
    found.update({name: value for name, value in members.items() if name not in _TRANSLATED and name not in found})
    return found


def _tool(tool: ResponsesTool, index: int, members: Mapping[str, msgspec.Raw]) -> Json:
    if tool.type == "function":
        function = {"name": tool.name or "", "description": tool.description, "strict": tool.strict}
        shown: Json = {name: value for name, value in function.items() if value is not None}
        if is_given(tool.parameters):
            shown["parameters"] = tool.parameters
        return {"type": "function", "function": shown}
    if tool.type == "custom":
        custom: Json = {"name": tool.name or ""}
        if tool.description is not None:
            custom["description"] = tool.description
        if is_given(tool.format):
            custom["format"] = _grammar(tool.format)
        return {"type": "custom", "custom": custom}
    definition = msgspec.json.decode(members["tools"], type=list[msgspec.Raw])[index]
    return {"type": tool.type, "dialect": RESPONSES, "definition": definition}


def _grammar(given: msgspec.Raw) -> Json:
    """Return the form of a custom tool's input, which chat completions nest once more."""
    form: Json = msgspec.json.decode(given, type=dict[str, Any])
    kind = form.pop("type", "text")
    return {"type": kind, "grammar": form} if kind == "grammar" else {"type": kind}


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[_Choice] | None = None


def _tool_choice(raw: msgspec.Raw) -> Json | msgspec.Raw | None:
    if not is_given(raw):
        return None
    if bytes(raw).startswith(b'"'):
        return raw
    try:
        choice = msgspec.json.decode(raw, type=_Choice)
    except msgspec.ValidationError as error:
        message = "'tool_choice' must be a word or an object with a type."
        raise GatewayError(INVALID_REQUEST, message, param="tool_choice") from error
    if choice.type == "allowed_tools":
        allowed = {"mode": choice.mode or "auto", "tools": [_named(tool) for tool in choice.tools or ()]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return _named(choice) if choice.name is not None else raw


def _named(choice: _Choice) -> Json:
    return {"type": choice.type, choice.type: {"name": choice.name or ""}}


def _text(text: TextConfig) -> Json:
    return {"response_format": _form(text.format), "verbosity": text.verbosity}


def _form(form: TextFormat | None) -> Json | None:
    if form is None or form.type == "text":
        return None
    if form.type != "json_schema":
        return {"type": form.type}
    schema = {"name": form.name or "answer", "description": form.description, "strict": form.strict}
    shown: Json = {name: value for name, value in schema.items() if value is not None}
    return {"type": "json_schema", "json_schema": {**shown, "schema": form.schema}}


def _reasoning(reasoning: Reasoning, members: Mapping[str, msgspec.Raw]) -> Json:
    """Return the effort; what else is said about reasoning stays beside it."""
    found: Json = {"reasoning_effort": reasoning.effort}
    if reasoning.summary or reasoning.generate_summary:
        found["reasoning"] = members["reasoning"]
    return found


def _logprobs(body: ResponsesBody) -> Json:
    if not body.top_logprobs and _LOGPROBS not in (body.include or ()):
        return {}
    return {"logprobs": True, "top_logprobs": body.top_logprobs}
