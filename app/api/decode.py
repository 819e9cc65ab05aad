"""Bytes to chat request, with the path of the field that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from app.core.errors import INVALID_JSON, INVALID_REQUEST, GatewayError
from app.core.model import ChatFields, ChatRequest, Message, Part, Tool, ToolCall

T = TypeVar("T")
_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_ITEM = "[...]"  # how msgspec spells "some element of this list"
_ITEM_TYPES: Mapping[str, type] = {"messages": Message, "tools": Tool, "content": Part, "tool_calls": ToolCall}


class ChatDecoder:
    """Decodes chat bodies; one instance serves any number of requests."""

    def __init__(self) -> None:
        self._fields = msgspec.json.Decoder(ChatFields)

    def decode(self, raw: bytes) -> ChatRequest:
        """
        Return the request.

        Raises:
            GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
        """
        try:
            if not raw.isascii():
                raw.decode()  # msgspec skips the strings that it does not read, providers do not
            return ChatRequest(self._fields.decode(raw), raw)
        except msgspec.ValidationError as error:
            raise wrong_field(error, raw) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from error


def decode_as(kind: type[T], raw: bytes) -> T:
    """
    Return the small body `raw` as a `kind`.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error, raw) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_json(error) from error


def bad_json(error: Exception) -> GatewayError:
    """Say what is wrong with a body that is no JSON; the decoder's words quote no content."""
    if isinstance(error, RecursionError):
        return GatewayError(INVALID_JSON, "The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return GatewayError(INVALID_JSON, "The body is not valid UTF-8.")
    return GatewayError(INVALID_JSON, f"The body is not valid JSON: {error}.")


def wrong_field(error: msgspec.ValidationError, raw: bytes) -> GatewayError:
    """Turn msgspec's complaint into a message and the path of the field, list positions included."""
    place = _PLACE.match(str(error))
    problem, path = (place["problem"], place["path"] or "") if place else (str(error), "")
    path = _numbered(path, raw)
    missing = _MISSING.match(problem)
    if missing:
        path = f"{path}.{missing['field']}" if path else missing["field"]
        return GatewayError(INVALID_REQUEST, f"The field {path!r} is missing.", param=path)
    if not path:
        return GatewayError(INVALID_REQUEST, f"The body is not a JSON object of the right form: {problem}.")
    return GatewayError(INVALID_REQUEST, f"The field {path!r} is wrong: {problem}.", param=path)


def _numbered(path: str, raw: bytes) -> str:
    """Replace each `[...]` of `path` by the position of the first element that does not fit."""
    done = ""
    while _ITEM in path:
        head, _, path = path.partition(_ITEM)
        name = head.rpartition(".")[2]
        items = _items(raw, head.strip(".").split("."))
        index = next((i for i, item in enumerate(items) if not _fits(item, _ITEM_TYPES.get(name, str))), 0)
        raw = bytes(items[index]) if items else b"null"
        done += f"{head}[{index}]"
    return done + path


def _items(raw: bytes, names: list[str]) -> list[msgspec.Raw]:
    """Return the elements of the list at the path `names` inside the object `raw`."""
    try:
        for name in names:
            raw = bytes(msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[name])
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, KeyError):
        return []


def _fits(item: msgspec.Raw, kind: type) -> bool:
    try:
        msgspec.json.decode(item, type=kind)
    except msgspec.DecodeError:
        return False
    return True
