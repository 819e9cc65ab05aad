"""
Compatible servers that are not quite: fields that a server knows under another name, or refuses and can do without.

A body without such fields is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.json_text import OBJECT

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
