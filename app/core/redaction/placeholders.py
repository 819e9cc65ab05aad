r"""
Placeholders, which replace values in a text: `[EMAIL_1]` can be restored, `[EMAIL]` and `[EMAIL:3f0c…]` cannot.

In a session that the gateway stores, new messages meet old placeholders whose values are forgotten. Placeholders are
therefore derived from the value there, as `[EMAIL_3f0c96b2]`, so that none ever stands for two values.

Models may spell a placeholder differently (`[Email 1]`, `[EMAIL\_1]`); all spellings are restored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from app.core.redaction.editing import Edit

INNER_MAX_CHARS: Final = 64
_NAME_CHARS: Final = 8
# A text in brackets that may be a placeholder; group 1 is the text between them.
PLACEHOLDER: Final = re.compile(rf"\[([A-Za-z][A-Za-z0-9 _\\-]{{1,{INNER_MAX_CHARS - 1}}})\]")
# The beginning of a placeholder at the end of a text.
BEGUN: Final = re.compile(rf"\[(?:[A-Za-z][A-Za-z0-9 _\\-]{{0,{INNER_MAX_CHARS - 1}}})?$")

_IGNORED: Final[Mapping[int, None]] = MappingProxyType(dict.fromkeys(map(ord, " _\\-")))
_LABELS: Final[Mapping[str, str]] = MappingProxyType({"secrets": "SECRET"})


def label_of(detector: str) -> str:
    """Return the label of a detector's findings in placeholders."""
    return _LABELS.get(detector, detector.upper())


def meaning_of(inner: str) -> str:
    """Return a normal form, the same for all spellings of a placeholder's inner text."""
    return inner.translate(_IGNORED).casefold()


class Vault:
    """
    The values of one call, by their placeholders. Only in memory, and only for the duration of the call.

    Args:
        taken: Meanings of texts in the call itself that look like placeholders, and must not be replaced.

        name: Returns hexadecimal digits that identify a value, of which the first few are used; None: values are
            numbered.
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
        """Return the number of values, and none of them."""
        return f"Vault({len(self)} values)"

    def put(self, detector: str, value: str) -> str:
        """Return the placeholder of a value: the same for the same value; numbered in the order of first use."""
        known = self._placeholders.get((detector, value))
        if known is not None:
            return known
        inner = self._counted(detector) if self._name is None else self._named(detector, self._name(detector, value))
        self._values[meaning_of(inner)] = value
        placeholder = self._placeholders[detector, value] = f"[{inner}]"
        return placeholder

    def get(self, inner: str) -> str | None:
        """Return the value for a placeholder's inner text; None if it is not a placeholder of this call."""
        return self._values.get(meaning_of(inner))

    def _counted(self, detector: str) -> str:
        label, number = label_of(detector), self._counts.get(detector, 0) + 1
        while (meaning := meaning_of(f"{label}_{number}")) in self._taken or meaning in self._values:
            number += 1
        self._counts[detector] = number
        return f"{label}_{number}"

    def _named(self, detector: str, digits: str) -> str:
        """Return a label with enough digits to be unique; placeholders that the caller repeats keep their meaning."""
        chars = _NAME_CHARS
        while meaning_of(inner := f"{label_of(detector)}_{digits[:chars]}") in self._values:
            chars += 1
        return inner


def meanings_in(text: str) -> frozenset[str]:
    """Return the meanings of all texts in `text` that look like placeholders."""
    return frozenset(meaning_of(inner) for inner in PLACEHOLDER.findall(text)) if "[" in text else frozenset()


class Restore:
    """An editor that restores values; holds back only what may be the beginning of a placeholder."""

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
        """Keep the text that was held back; see `Editor`."""
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
