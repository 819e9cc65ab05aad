"""
What differs among servers and models of OpenAI's form: fields that have another name there, or are refused.

A body without such fields is not touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.json_text import OBJECT

# These answer without reasoning, and refuse every word about it; of a name that is none of OpenAI's nothing is known.
_NO_REASONING: Final = re.compile(r"(?:.*/)?(?:gpt-3|gpt-4|chatgpt-)")
# These know the bound of an answer under its newer name only.
_NEWER_BOUND: Final = re.compile(r"(?:.*/)?(?:gpt-[5-9]|o\d)")
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Quirks(msgspec.Struct, frozen=True):
    """
    How a server differs from OpenAI: the fields that it has other names for, and those that it refuses.

    `takes` are members beyond OpenAI's that it knows; requests that came in another dialect keep those.
    """

    rename: Mapping[str, str] = _NO_NAMES
    drop: AbstractSet[str] = frozenset()
    takes: AbstractSet[str] = frozenset()

    def applied(self, body: bytes) -> tuple[bytes, tuple[str, ...]]:
        """Return the body as the server takes it, and the names of the fields that were dropped."""
        if not self.rename and not self.drop:
            return body, ()
        members = OBJECT.decode(body)
        dropped = tuple([name for name in members if name in self.drop])
        for name, other in self.rename.items():
            if name in members and other not in members:
                members[other] = members[name]
        kept = {name: value for name, value in members.items() if name not in self.drop and name not in self.rename}
        return (msgspec.json.encode(kept), dropped) if kept.keys() != members.keys() else (body, ())


NO_QUIRKS: Final = Quirks()


def reasons(model: str) -> bool:
    """Say whether a model may be told how much to reason."""
    return _NO_REASONING.match(model) is None


def bounds_completions(model: str) -> bool:
    """Say whether a model takes `max_completion_tokens`, and refuses `max_tokens`."""
    return _NEWER_BOUND.match(model) is not None
