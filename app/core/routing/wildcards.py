"""Names of routes with a star: `openai/*`, `*-mini`, `*`. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

STAR: Final = "*"


class Matched(msgspec.Struct, frozen=True):
    """The route that matches a name, and the text that its star matches."""

    route: str
    text: str


class Wildcards:
    """
    The routes whose names have a star. If several match, the one with the longest name wins.

    Args:
        names: The names of all routes; those without a star are ignored.
    """

    def __init__(self, names: Iterable[str]) -> None:
        starred = sorted((name for name in names if STAR in name), key=lambda name: (-len(name), name))
        self._patterns = [(name, *name.split(STAR, 1)) for name in starred]

    def match(self, name: str, *, bare: bool) -> Matched | None:
        """Return the route that matches `name`: with `bare` only the route `*`, else any other."""
        for route, start, end in self._patterns:
            fits = name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end)
            if fits and (route == STAR) is bare:
                return Matched(route, name[len(start) : len(name) - len(end)])
        return None


def filled(text: str, star: str | None) -> str:
    """Return `text` with its star replaced by `star`, unless that is None."""
    return text if star is None else text.replace(STAR, star, 1)
