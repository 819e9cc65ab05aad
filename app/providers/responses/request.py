"""A chat request, from the canonical form to the body of `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from app.core.dialects.absent import given_in, is_given
from app.core.dialects.responses import RESPONSES
from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Asked, Body, Format, Json, Offered
from app.providers.canonical.search import web_search
from app.providers.canonical.tool_choice import WORDS, wrong_choice
from app.providers.canonical.unsupported import dropped, require_one_choice, require_text, unsupported
from app.providers.openai.quirks import reasons
from app.providers.responses.items import NAME, items_of

_SAME: Final = (
    "stream", "temperature", "top_p", "parallel_tool_calls", "user", "safety_identifier", "service_tier",
    "prompt_cache_key", "prompt_cache_retention", "metadata",
)  # fmt: skip
_TRANSLATED: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "n", "stop", "tools", "tool_choice", "response_format", "verbosity",
        "reasoning_effort", "reasoning", "logprobs", "top_logprobs", "modalities", "web_search_options", *_SAME,
    }
)  # fmt: skip
# The API's own words, which a client of it wrote and which only this codec can send on.
_OWN: Final = frozenset(
    {
        "previous_response_id", "conversation", "prompt", "background", "max_tool_calls", "truncation",
        "context_management", "moderation", "prompt_cache_options", "access_programs",
    }
)  # fmt: skip
_HIDDEN: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the body, and the names of the fields that it does without.

    Nothing is stored at the provider, as the whole conversation is sent each time; reasoning comes encrypted for that.
    """
    asked, members = body.asked, body.members
    lost = list(dropped(members, _TRANSLATED | _OWN, NAME))
    _require_expressible(asked)
    if asked.reasoning_effort is not None and not reasons(model):
        lost.append("reasoning_effort")
    given: Json = {
        "model": model,
        "input": items_of(asked.messages, lost),
        "max_output_tokens": asked.most_tokens,
        "tools": _tools(asked.tools or (), members) or None,
        "tool_choice": _tool_choice(asked.tool_choice),
        "text": given_in({"format": _form(asked.response_format), "verbosity": asked.verbosity}) or None,
        "reasoning": _reasoning(asked, members.get("reasoning")) if reasons(model) else None,
        "top_logprobs": asked.top_logprobs if asked.logprobs else None,
        "include": [*([_HIDDEN] if reasons(model) else ()), *([_LOGPROBS] if asked.logprobs else ())] or None,
        "store": False,
        **{name: members[name] for name in (*_SAME, *_OWN) if name in members},
    }
    return msgspec.json.encode(given_in(given)), tuple(dict.fromkeys(lost))


def _require_expressible(asked: Asked) -> None:
    require_one_choice(asked, NAME)
    require_text(asked, NAME)
    if asked.stops:
        raise unsupported("stop", NAME, "its answers end by themselves")


def _tools(offered: Iterable[Offered], members: Mapping[str, msgspec.Raw]) -> list[Json | msgspec.Raw]:
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(offered)]
    search = web_search(members)
    return tools if search is None else [*tools, {"type": "web_search", **search}]


def _tool(tool: Offered, where: str) -> Json | msgspec.Raw:
    if tool.dialect == RESPONSES:
        return tool.definition
    if tool.type == "custom":
        return _custom(tool.custom)
    function = tool.function
    if tool.type != "function" or function is None:
        raise unsupported(f"{where}.type", NAME, f"it has no tools of type {tool.type[:40]!r}")
    found = {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": conversation.parameters_of(function),
        "strict": bool(function.strict),  # without the word it is strict here, and is not in chat completions
    }
    return given_in(found)


def _custom(raw: msgspec.Raw) -> Json:
    try:
        found: Json = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise GatewayError(INVALID_REQUEST, "A custom tool must say its name.", param="tools") from error
    form = found.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
        found["format"] = {"type": form.get("type"), **form["grammar"]}
    return {"type": "custom", **found}


def _tool_choice(raw: msgspec.Raw) -> Json | msgspec.Raw | None:
    if not is_given(raw):
        return None
    if bytes(raw) in WORDS:
        return raw
    if not bytes(raw).startswith(b"{"):
        raise wrong_choice()
    choice: Json = msgspec.json.decode(raw, type=dict[str, Any])
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, dict):
        tools = [_named(tool) for tool in allowed.get("tools", ())]
        return {"type": "allowed_tools", "mode": allowed.get("mode", "auto"), "tools": tools}
    return _named(choice)


def _named(choice: Json) -> Json:
    """Return a choice with the name beside its type, not below."""
    kind = choice.get("type")
    below = choice.get(kind) if isinstance(kind, str) else None
    return {"type": kind, "name": below.get("name")} if isinstance(below, dict) else choice


def _form(form: Format | None) -> Json | None:
    if form is None:
        return None
    schema = form.json_schema
    if schema is None:
        return {"type": form.type}
    shown = {"name": schema.name, "description": schema.description, "strict": schema.strict, "schema": schema.demanded}
    return {"type": form.type, **given_in(shown)}


def _reasoning(asked: Asked, given: msgspec.Raw | None) -> Json | msgspec.Raw | None:
    if given is not None and is_given(given):
        return given
    if asked.reasoning_effort is None:
        return None
    return {"effort": asked.reasoning_effort, "summary": "auto"}
