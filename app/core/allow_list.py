"""Which models a caller may use: a list of names in which `*` stands for any text. Pure, and linear in the name."""

from __future__ import annotations

from collections.abc import Iterable

_ANY = "*"


def slashed(name: str) -> str:
    """Return the name of a model in one of its two spellings: `provider/model` for `provider:model`."""
    return name if "/" in name else name.replace(":", "/", 1)


class AllowList:
    """
    Names and patterns such as `fast`, `openai/*` or `*-mini`.

    There is no other special character, and capitals matter, as they do in the names of models.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        given = tuple(patterns)
        self._all = _ANY in given
        self._names = frozenset(pattern for pattern in given if _ANY not in pattern)
        self._globs = tuple(pattern.split(_ANY) for pattern in given if _ANY in pattern)

    def allows(self, name: str) -> bool:
        """Say whether `name` is allowed."""
        return self._all or name in self._names or any(_matches(pieces, name) for pieces in self._globs)


def _matches(pieces: list[str], name: str) -> bool:
    """Look for the pieces between the stars from left to right; the first and the last stand at the ends."""
    first, *between, last = pieces
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in between:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
