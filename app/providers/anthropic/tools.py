"""Tools and the choice among them, from the canonical form to Anthropic's."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, present
from app.core.dialects.anthropic import ANTHROPIC, Tool, ToolChoice
from app.core.json_text import OBJECT
from app.providers.anthropic.messages import NAME
from app.providers.anthropic.traits import Traits
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Offered, OfferedFunction
from app.providers.canonical.tool_choice import Choice
from app.providers.canonical.unsupported import unsupported

_WORDS: Final = MappingProxyType({"auto": "auto", "required": "any", "none": "none"})


class _Schema(msgspec.Struct):
    type: msgspec.Raw = ABSENT


def tools_of(offered: Iterable[Offered], choice: Choice, traits: Traits, lost: list[str]) -> list[Tool | msgspec.Raw]:
    """Return the tools; of those that `choice` leaves out, none."""
    found: list[Tool | msgspec.Raw] = []
    for index, tool in enumerate(offered):
        function = tool.function
        if tool.dialect == ANTHROPIC:
            found.append(tool.definition)
        elif tool.type != "function" or function is None:
            raise unsupported(f"tools[{index}].type", NAME, f"it has no tools of type {tool.type[:40]!r}")
        elif choice.only is None or function.name in choice.only:
            found.append(_function(tool, function, traits, lost))
    return found


def tool_choice_of(choice: Choice, *, parallel: bool | None) -> ToolChoice | None:
    """Return whether tools are called, and whether several at once."""
    alone = True if parallel is False else None
    if choice.name is not None:
        return ToolChoice("tool", choice.name, alone)
    if choice.mode is None:
        return ToolChoice("auto", disable_parallel_tool_use=alone) if alone else None
    return ToolChoice(_WORDS[choice.mode], disable_parallel_tool_use=None if choice.mode == "none" else alone)


def _function(tool: Offered, function: OfferedFunction, traits: Traits, lost: list[str]) -> Tool:
    if function.strict and not traits.structured:
        lost.append("tools.strict")
    return Tool(
        name=function.name,
        description=function.description,
        input_schema=_parameters(conversation.parameters_of(function)),
        strict=True if function.strict and traits.structured else None,
        cache_control=present(tool.cache_control),
        defer_loading=present(tool.defer_loading),
        eager_input_streaming=present(tool.eager_input_streaming),
        allowed_callers=present(tool.allowed_callers),
        input_examples=present(tool.input_examples),
    )


def _parameters(schema: msgspec.Raw) -> msgspec.Raw:
    """Return a schema with the type that the API demands."""
    if bytes(msgspec.json.decode(schema, type=_Schema).type):
        return schema
    members = OBJECT.decode(schema)
    return msgspec.Raw(msgspec.json.encode({"type": "object", **members}))
