"""Translates a chat request from the canonical form to the body of `POST /v1/messages`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, present
from app.core.dialects.anthropic import Metadata
from app.core.errors import UNSUPPORTED_FEATURE, GatewayError
from app.providers.anthropic.knobs import Knobs, Wanted, knobs_of
from app.providers.anthropic.messages import NAME, Conversation, conversation_of
from app.providers.anthropic.tools import tool_choice_of, tools_of
from app.providers.anthropic.traits import Traits
from app.providers.canonical.chat_request import Asked, Body
from app.providers.canonical.search import lost_of_search, web_search
from app.providers.canonical.tool_choice import read_choice
from app.providers.canonical.unsupported import USUAL, dropped, require_one_choice, require_text, written

EXTRAS: Final = "anthropic"  # the member of a body with options of this dialect only
UPLOADS_BETA: Final = "files-api-2025-04-14"
_TRANSLATED: Final = USUAL | {
    "parallel_tool_calls", "modalities", "user", "safety_identifier", "service_tier", "thinking", "web_search_options",
    EXTRAS,
}  # fmt: skip
# Anthropic's own fields, from clients of its API; only this codec can forward them.
_OWN: Final = frozenset(
    {
        "cache_control", "container", "context_management", "diagnostics", "inference_geo", "mcp_servers", "speed",
        "user_profile_id", "workspace_id",
    }
)  # fmt: skip
_KNOBS: Final = ("temperature", "top_p", "top_k", "thinking", "output_config")
_SEARCH: Final = MappingProxyType({"type": "web_search_20250305", "name": "web_search"})  # supported by all models
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "default": "standard_only"})


class Written(msgspec.Struct, frozen=True):
    """A body, the names of the dropped fields, and whether it refers to uploaded files."""

    body: bytes
    lost: tuple[str, ...]
    uploads: bool


def encode_chat(body: Body, model: str, traits: Traits, answer_max_tokens: int | None) -> Written:
    """
    Translate a request; its `max_tokens` defaults to `answer_max_tokens`, or else to the limit of the model.
    """
    asked, members = body.asked, body.members
    lost = list(dropped(members, _TRANSLATED | _OWN, NAME))
    require_one_choice(asked, NAME)
    require_text(asked, NAME)
    choice = read_choice(asked)
    max_tokens = asked.most_tokens or answer_max_tokens or traits.answer_max_tokens
    talk = conversation_of(asked.messages, late_system=traits.late_system)
    knobs = knobs_of(Wanted(asked, choice, traits, max_tokens, present(members.get("thinking", ABSENT)) or None))
    tools: list[object] = [*tools_of(asked.tools or (), choice, traits, talk.lost)]
    search = web_search(members)
    if search is not None:
        tools.append({**_SEARCH, **{name: value for name, value in search.items() if name == "user_location"}})
        lost += lost_of_search(search, carried="user_location")
    encoded: dict[str, object] = {"model": model, "max_tokens": max_tokens, **_talk(talk, knobs)}
    if tools:
        encoded["tools"] = tools
        encoded["tool_choice"] = tool_choice_of(choice, parallel=asked.parallel_tool_calls)
    encoded.update(_small(asked, talk.lost))
    encoded.update({name: getattr(knobs, name) for name in _KNOBS})
    encoded.update({name: value for name, value in members.items() if name in _OWN})
    lost = list(dict.fromkeys([*lost, *talk.lost, *knobs.lost]))
    return Written(written(encoded, members.get(EXTRAS)), tuple(lost), talk.uploads)


def _talk(talk: Conversation, knobs: Knobs) -> dict[str, object]:
    if not talk.turns:
        message = f"{NAME} needs a message that is neither empty nor of the system."
        raise GatewayError(UNSUPPORTED_FEATURE, message, param="messages")
    system = talk.system if knobs.instruction is None else [*talk.system, knobs.instruction]
    return {"system": system, "messages": talk.turns} if system else {"messages": talk.turns}


def _small(asked: Asked, lost: list[str]) -> dict[str, object]:
    """Return the members that are translated one by one."""
    stops = [text for text in asked.stops if not text.isspace() and text]
    if len(stops) < len(asked.stops):
        lost.append("stop")
    if asked.service_tier is not None and asked.service_tier not in _TIERS:
        lost.append("service_tier")
    user = asked.user or asked.safety_identifier
    return {
        "stream": asked.stream,
        "stop_sequences": stops or None,
        "metadata": None if user is None else Metadata(user),
        "service_tier": _TIERS.get(asked.service_tier or ""),
    }
