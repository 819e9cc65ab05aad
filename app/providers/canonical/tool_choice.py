"""Decodes `tool_choice`: a mode, a function, or a set of allowed functions."""

from __future__ import annotations

from typing import Literal

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.canonical.chat_request import Asked

WORDS = (b'"auto"', b'"none"', b'"required"')


class Choice(msgspec.Struct, frozen=True):
    """
    Which tools may or must be called.

    `mode` is None if the request sets none; `name` is the function that must be called; `only` are the offered
    functions that may be called.
    """

    mode: Literal["auto", "none", "required"] | None = None
    name: str | None = None
    only: frozenset[str] | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Allowed(msgspec.Struct, frozen=True):
    mode: Literal["auto", "required"]
    tools: list[_Given]


class _Given(msgspec.Struct, frozen=True):
    type: str = ""
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


def read_choice(asked: Asked) -> Choice:
    """Read the request's `tool_choice`."""
    raw = bytes(asked.tool_choice)
    if raw in {b"", b"null"}:
        return Choice()
    if raw in WORDS:
        return Choice(mode=msgspec.json.decode(raw))
    try:
        given = msgspec.json.decode(raw, type=_Given)
    except msgspec.ValidationError as error:
        raise wrong_choice() from error
    if given.type == "function" and given.function is not None:
        return Choice(name=given.function.name)
    if given.type == "allowed_tools" and given.allowed_tools is not None:
        names = [tool.function.name for tool in given.allowed_tools.tools if tool.function is not None]
        return Choice(mode=given.allowed_tools.mode, only=frozenset(names))
    raise wrong_choice()


def wrong_choice() -> GatewayError:
    """Return the error for an invalid `tool_choice`."""
    message = "'tool_choice' must be 'auto', 'none', 'required', a function, or a set of allowed functions."
    return GatewayError(INVALID_REQUEST, message, param="tool_choice")
