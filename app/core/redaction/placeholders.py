r"""
What stands in a text instead of a value: `[EMAIL_1]` can be turned back, `[EMAIL]` and `[EMAIL:3f0c…]` cannot.

A model may spell a placeholder a little differently (`[Email 1]`, `[EMAIL\_1]`), which changes nothing of what it
means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INNER_MAX_CHARS: Final = 64
# Something in brackets that may be meant as a placeholder; group 1 is what stands between them.
PLACEHOLDER: Final = re.compile(rf"\[([A-Za-z][A-Za-z0-9 _\\-]{{1,{INNER_MAX_CHARS - 1}}})\]")
# The end of a text in which one may have begun.
BEGUN: Final = re.compile(rf"\[(?:[A-Za-z][A-Za-z0-9 _\\-]{{0,{INNER_MAX_CHARS - 1}}})?$")

_IGNORED: Final[Mapping[int, None]] = MappingProxyType(dict.fromkeys(map(ord, " _\\-")))
_LABELS: Final[Mapping[str, str]] = MappingProxyType({"secrets": "SECRET"})


def label_of(detector: str) -> str:
    """Return how finds of a detector are called in a text."""
    return _LABELS.get(detector, detector.upper())


def meaning_of(inner: str) -> str:
    """Return the same text for all spellings of what stands in the brackets of one placeholder."""
    return inner.translate(_IGNORED).casefold()


class Vault:
    """
    The values of one call, by their placeholders. Lives in its memory and nowhere else, and ends with it.

    Args:
        taken: Meanings of what looks like a placeholder in the call's own text, and must come back as it was.
    """

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = taken
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        """Say how much there is, and nothing of it."""
        return f"Vault({len(self)} values)"

    def put(self, detector: str, value: str) -> str:
        """Return the placeholder of a value: the same for the same value; they count up in the order of first use."""
        known = self._placeholders.get((detector, value))
        if known is not None:
            return known
        label, number = label_of(detector), self._counts.get(detector, 0) + 1
        while (meaning := meaning_of(f"{label}_{number}")) in self._taken or meaning in self._values:
            number += 1
        self._counts[detector] = number
        self._values[meaning] = value
        placeholder = f"[{label}_{number}]"
        self._placeholders[detector, value] = placeholder
        return placeholder

    def get(self, inner: str) -> str | None:
        """Return the value of what stands between two brackets; None if that is no placeholder of this call."""
        return self._values.get(meaning_of(inner))


def meanings_in(text: str) -> frozenset[str]:
    """Return what a text itself holds that may be taken for a placeholder."""
    return frozenset(meaning_of(inner) for inner in PLACEHOLDER.findall(text)) if "[" in text else frozenset()
