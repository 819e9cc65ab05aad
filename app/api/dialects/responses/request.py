"""Translate a request of OpenAI's Responses API to the canonical format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from app.api.dialects.responses.items import messages_of
from app.api.dialects.translated import chat_request
from app.core.bodies import decoded
from app.core.dialects.absent import given_in, is_given, present
from app.core.dialects.responses import RESPONSES, Reasoning, ResponsesBody, ResponsesTool, TextConfig, TextFormat
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import OBJECT
from app.core.model import ChatRequest, Native

Json: TypeAlias = dict[str, Any]
_BODY: Final = msgspec.json.Decoder(ResponsesBody)
# Members that are translated, or that only concern what OpenAI stores and repeats.
_TRANSLATED: Final = frozenset(ResponsesBody.__struct_fields__) | {"store", "stream_options", "metadata"}
_SAME: Final = (
    "model", "temperature", "top_p", "stream", "parallel_tool_calls", "user", "safety_identifier", "service_tier",
    "prompt_cache_key",
)  # fmt: skip
_OWN_CONTEXT: Final = frozenset({"previous_response_id", "conversation", "prompt"})  # may hold the whole input
_LOGPROBS: Final = "message.output_text.logprobs"


def responses_request(raw: bytes) -> ChatRequest:
    """
    Return the request in its canonical form, with the client's own body as its origin.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
    """
    body, members = decoded(_BODY.decode, raw), OBJECT.decode(raw)
    if not body.input and not _OWN_CONTEXT & members.keys():
        raise GatewayError(INVALID_REQUEST, "The field 'input' is missing.", param="input")
    text = body.text or TextConfig()
    canonical: Json = {
        **{name: getattr(body, name) for name in _SAME},
        "messages": messages_of(body, raw),
        "max_completion_tokens": body.max_output_tokens,
        "stream_options": {"include_usage": True} if body.stream else None,
        "tools": [_tool(tool, index, members) for index, tool in enumerate(body.tools or ())] or None,
        "tool_choice": _tool_choice(body.tool_choice),
        "response_format": _form(text.format),
        "verbosity": text.verbosity,
        **_reasoning(body.reasoning or Reasoning(), members),
        **_logprobs(body),
    }
    return chat_request(canonical, members, _TRANSLATED, Native(RESPONSES, raw))


def _tool(tool: ResponsesTool, index: int, members: Mapping[str, msgspec.Raw]) -> Json:
    if tool.type == "function":
        parameters = present(tool.parameters)
        function = {"name": tool.name or "", "description": tool.description, "strict": tool.strict}
        return {"type": "function", "function": given_in({**function, "parameters": parameters})}
    if tool.type == "custom":
        grammar = _grammar(tool.format) if is_given(tool.format) else None
        custom = {"name": tool.name or "", "description": tool.description, "format": grammar}
        return {"type": "custom", "custom": given_in(custom)}
    definition = msgspec.json.decode(members["tools"], type=list[msgspec.Raw])[index]
    return {"type": tool.type, "dialect": RESPONSES, "definition": definition}


def _grammar(raw: msgspec.Raw) -> Json:
    """Return the input format of a custom tool, which chat completions nest one level deeper."""
    form: Json = msgspec.json.decode(raw, type=dict[str, Any])
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
        allowed = {"mode": choice.mode or "auto", "tools": [_named_choice(tool) for tool in choice.tools or ()]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return _named_choice(choice) if choice.name is not None else raw


def _named_choice(choice: _Choice) -> Json:
    return {"type": choice.type, choice.type: {"name": choice.name or ""}}


def _form(form: TextFormat | None) -> Json | None:
    if form is None or form.type == "text":
        return None
    if form.type != "json_schema":
        return {"type": form.type}
    schema = {"name": form.name or "answer", "description": form.description, "strict": form.strict}
    return {"type": "json_schema", "json_schema": {**given_in(schema), "schema": form.schema}}


def _reasoning(reasoning: Reasoning, members: Mapping[str, msgspec.Raw]) -> Json:
    """Return the canonical `reasoning_effort`, and the original `reasoning` if it asks for a summary."""
    canonical: Json = {"reasoning_effort": reasoning.effort}
    if reasoning.summary or reasoning.generate_summary:
        canonical["reasoning"] = members["reasoning"]
    return canonical


def _logprobs(body: ResponsesBody) -> Json:
    if not body.top_logprobs and _LOGPROBS not in (body.include or ()):
        return {}
    return {"logprobs": True, "top_logprobs": body.top_logprobs}
