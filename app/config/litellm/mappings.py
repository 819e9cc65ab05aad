"""
LiteLLM's mappings, whose settings are taken out one by one.

What nobody has taken when a mapping is left behind is told of, so that a setting that this gateway has never heard of
cannot get lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.config.litellm.known import REASONS

UNHEARD: Final = "there is no such setting here"
_VARIABLE: Final = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Note:
    """What became of some settings of LiteLLM's, by their paths, where it is not simply the same."""

    paths: tuple[str, ...]
    text: str


class Notes:
    """Collects what has to be told; the same text is told once, with all its places."""

    def __init__(self) -> None:
        self._paths: dict[str, list[str]] = {}

    def add(self, path: str, text: str) -> None:
        """Note `text` about one place."""
        places = self._paths.setdefault(text, [])
        if path not in places:
            places.append(path)

    def told(self) -> tuple[Note, ...]:
        """Return all notes, in the order in which they came up."""
        return tuple(Note(tuple(paths), text) for text, paths in self._paths.items())


def filled(text: str, spare: str | None = None) -> str:
    """Return a text as this gateway writes it: LiteLLM's variables as `${NAME}`, or `${NAME:-spare}`."""
    found = _VARIABLE.fullmatch(text)
    if found is None:
        return text.replace("${", "$${")
    return f"${{{found[1]}}}" if spare is None else f"${{{found[1]}:-{spare}}}"


class Given:
    """One mapping of a LiteLLM configuration; `path` says where it stands, `section` which reasons it has."""

    def __init__(self, tree: object, path: str, section: str, notes: Notes) -> None:
        self.path = path
        self.notes = notes
        self._section = section
        self._left: dict[str, object] = {}
        self._names: frozenset[str] = frozenset()
        if isinstance(tree, Mapping):
            self._left = {str(name): value for name, value in tree.items()}
            self._names = frozenset(self._left)
        elif tree is not None:
            notes.add(path, "it should be a mapping, and is none")

    def inner(self, name: str) -> Given:
        """Take a mapping inside this one; an empty one if there is none."""
        path = f"{self.path}.{name}" if self.path else name
        return Given(self._left.pop(name, None), path, name, self.notes)

    def had(self, name: str) -> bool:
        """Say whether there was such a setting, taken by now or not."""
        return name in self._names

    def take(self, name: str) -> object:
        """Take a value as it is, or None."""
        return self._left.pop(name, None)

    def several(self, name: str) -> list[object]:
        """Take a list; a single value is a list of one."""
        value = self.take(name)
        return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]

    def text(self, name: str, spare: str | None = None) -> str | None:
        """Take a text, as this gateway writes it; numbers become texts, an empty text is None."""
        value = self.take(name)
        if isinstance(value, (Mapping, list)) or value is None:
            if value is not None:
                self.note(name, "it should be a text, and is none")
            return None
        return filled(str(value).strip(), spare) or None

    def number(self, name: str) -> float | None:
        """Take a number, also from a text of digits; anything else is noted."""
        value = self.take(name)
        if value is None:
            return None
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        self.note(name, "it should be a number, and is none")
        return None

    def whole(self, name: str) -> int | None:
        """Take a whole number above zero; zero and less mean none."""
        value = self.number(name)
        return None if value is None or value < 1 else int(value)

    def flag(self, name: str) -> bool | None:
        """Take a boolean; the texts true and false are as good."""
        value = self.take(name)
        return None if value is None else str(value).lower() == "true"

    def note(self, name: str, text: str) -> None:
        """Note something about one setting."""
        self.notes.add(f"{self.path}.{name}" if self.path else name, text)

    def leave(self) -> None:
        """Note everything that nobody took; null and empty lists say nothing."""
        for name, value in self._left.items():
            if value is not None and value not in ([], {}, ""):
                reasons = REASONS.get(self._section, {})
                self.note(name, reasons.get(name) or REASONS["any"].get(name) or UNHEARD)
        self._left = {}
