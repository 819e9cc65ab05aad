"""Names of routes with a star: `openai/*`, `*-mini`, `*`. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

STAR: Final = "*"


class Matched(msgspec.Struct, frozen=True):
    """The route whose name fits, and the text that stands for its star."""

    route: str
    text: str


class Wildcards:
    """
    The routes whose names have a star. Of several that fit, the one with the most letters of its own counts.

    Args:
        names: The names of all routes; those without a star are left out.
    """

    def __init__(self, names: Iterable[str]) -> None:
        starred = sorted((name for name in names if STAR in name), key=lambda name: (-len(name), name))
        self._patterns = [(name, *name.split(STAR, 1)) for name in starred]

    def match(self, name: str, *, bare: bool) -> Matched | None:
        """Return the route that fits `name`; the `bare` star, which fits everything, only if it is asked for."""
        for route, start, end in self._patterns:
            fits = name.startswith(start) and name.endswith(end) and len(name) > len(start) + len(end)
            if fits and (route == STAR) is bare:
                return Matched(route, name[len(start) : len(name) - len(end)])
        return None


def filled(text: str, star: str | None) -> str:
    """Return `text` with what stands for its star, if there is one."""
    return text if star is None else text.replace(STAR, star, 1)
