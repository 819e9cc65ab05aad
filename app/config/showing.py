"""Format settings for people and for the admin API; possible secrets are hidden."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, SecretStr

from app.config.problems import HIDDEN, is_secret
from app.config.trees import Loc, Tree

_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")


def visible(loc: Loc, value: object) -> object:
    """Return a single value as JSON-compatible data, masked if its type or its name suggests a secret."""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, frozenset):
        return sorted(str(visible(loc, entry)) for entry in value)
    if isinstance(value, list | tuple):
        return [visible(loc, entry) for entry in value]
    if is_secret(loc):
        return HIDDEN
    return _USER.sub("***@", value) if isinstance(value, str) else value


def words(loc: Loc, value: object) -> str:
    """Format a single value as it would be written in a file."""
    match visible(loc, value):
        case None:
            return "null"
        case bool() as fact:
            return "true" if fact else "false"
        case list() as entries:
            return f"[{', '.join(words(loc, entry) for entry in entries)}]"
        case float() as number:
            return f"{number:g}"
        case other:
            return str(other) if other != "" else '""'


def redacted(section: BaseModel) -> Tree:
    """Return all settings of `section` as a JSON-compatible tree, secrets hidden."""
    return {name: _redacted(getattr(section, name), (name,)) for name in type(section).model_fields}


def _redacted(value: object, loc: Loc) -> object:
    if isinstance(value, BaseModel):
        return {name: _redacted(getattr(value, name), (*loc, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): _redacted(inner, (*loc, str(key))) for key, inner in value.items()}
    if isinstance(value, tuple) and any(isinstance(entry, BaseModel | Mapping) for entry in value):
        return [_redacted(entry, (*loc, position)) for position, entry in enumerate(value)]
    return visible(loc, value)
