r"""
What stands in a text instead of a value: `[EMAIL_1]` can be turned back, `[EMAIL]` and `[EMAIL:3f0c…]` cannot.

In a conversation that the gateway keeps, messages of which the values are long forgotten meet new ones: there a
placeholder is `[EMAIL_3f0c96b2]`, the same for the same value in all of the conversation, so that none ever means two.

A model may spell a placeholder a little differently (`[Email 1]`, `[EMAIL\_1]`), which changes nothing of what it
means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from app.core.redaction.editing import Edit

INNER_MAX_CHARS: Final = 64
_NAME_CHARS: Final = 8
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

        name: Gives what tells the placeholder of a value from all others in hexadecimal digits, of which the first few
            are used; without it they are counted.
    """

    def __init__(self, taken: frozenset[str] = frozenset(), name: Callable[[str, str], str] | None = None) -> None:
        self._taken = taken
        self._name = name
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
        inner = self._counted(detector) if self._name is None else self._named(detector, self._name(detector, value))
        self._values[meaning_of(inner)] = value
        placeholder = self._placeholders[detector, value] = f"[{inner}]"
        return placeholder

    def get(self, inner: str) -> str | None:
        """Return the value of what stands between two brackets; None if that is no placeholder of this call."""
        return self._values.get(meaning_of(inner))

    def _counted(self, detector: str) -> str:
        label, number = label_of(detector), self._counts.get(detector, 0) + 1
        while (meaning := meaning_of(f"{label}_{number}")) in self._taken or meaning in self._values:
            number += 1
        self._counts[detector] = number
        return f"{label}_{number}"

    def _named(self, detector: str, digits: str) -> str:
        """Return as many digits as tell it from others; one that the caller repeats means what it meant before."""
        chars = _NAME_CHARS
        while meaning_of(inner := f"{label_of(detector)}_{digits[:chars]}") in self._values:
            chars += 1
        return inner


def meanings_in(text: str) -> frozenset[str]:
    """Return what a text itself holds that may be taken for a placeholder."""
    return frozenset(meaning_of(inner) for inner in PLACEHOLDER.findall(text)) if "[" in text else frozenset()


class Restore:
    """An editor that puts values back; it holds back no more than what may be the beginning of a placeholder."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._held = ""

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece; see `Editor`."""
        if not self._held and "[" not in text:
            return [(len(text), None)]
        text = self._held + text
        begun = BEGUN.search(text, text.rfind("["))
        certain = len(text) if begun is None else begun.start()
        self._held = text[certain:]
        return self._edits(text, certain)

    def end(self) -> list[Edit]:
        """Let what was held back stay; see `Editor`."""
        held, self._held = self._held, ""
        return [(len(held), None)]

    def _edits(self, text: str, certain: int) -> list[Edit]:
        edits: list[Edit] = []
        position = 0
        for found in PLACEHOLDER.finditer(text, 0, certain):
            value = self._vault.get(found[1])
            if value is not None:
                edits += [(found.start() - position, None), (found.end() - found.start(), value)]
                position = found.end()
        edits.append((certain - position, None))
        return edits
