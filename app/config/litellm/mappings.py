"""
LiteLLM's mappings, from which settings are taken one by one.

Settings that were not taken are noted at the end, so unknown ones are not lost silently.
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
    """A difference in the conversion of some settings, with their paths in LiteLLM's file."""

    paths: tuple[str, ...]
    text: str


class Notes:
    """Collects notes; equal texts become one note with all their paths."""

    def __init__(self) -> None:
        self._paths: dict[str, list[str]] = {}

    def add(self, path: str, text: str) -> None:
        """Add a note about one path."""
        places = self._paths.setdefault(text, [])
        if path not in places:
            places.append(path)

    def told(self) -> tuple[Note, ...]:
        """Return all notes, in the order in which they were added."""
        return tuple(Note(tuple(paths), text) for text, paths in self._paths.items())


def filled(text: str, spare: str | None = None) -> str:
    """Return a text in this gateway's syntax: LiteLLM's variables as `${NAME}`, or `${NAME:-spare}`."""
    match = _VARIABLE.fullmatch(text)
    if match is None:
        return text.replace("${", "$${")
    return f"${{{match[1]}}}" if spare is None else f"${{{match[1]}:-{spare}}}"


class Given:
    """One mapping of a LiteLLM configuration; `path` is its location, `section` selects the reasons in `known.toml`."""

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
        """Take a nested mapping; an empty one if there is none."""
        path = f"{self.path}.{name}" if self.path else name
        return Given(self._left.pop(name, None), path, name, self.notes)

    def had(self, name: str) -> bool:
        """Return whether there was such a setting, even if it has been taken."""
        return name in self._names

    def take(self, name: str) -> object:
        """Take a value unchanged, or None."""
        return self._left.pop(name, None)

    def several(self, name: str) -> list[object]:
        """Take a list; a single value becomes a list of one."""
        value = self.take(name)
        return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]

    def text(self, name: str, spare: str | None = None) -> str | None:
        """Take a text, in this gateway's syntax; numbers become texts, an empty text None."""
        value = self.take(name)
        if isinstance(value, (Mapping, list)) or value is None:
            if value is not None:
                self.note(name, "it should be a text, and is none")
            return None
        return filled(str(value).strip(), spare) or None

    def number(self, name: str) -> float | None:
        """Take a number, also as text; note anything else."""
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
        """Take a positive whole number; None for zero and less."""
        value = self.number(name)
        return None if value is None or value < 1 else int(value)

    def flag(self, name: str) -> bool | None:
        """Take a boolean, also as text."""
        value = self.take(name)
        return None if value is None else str(value).lower() == "true"

    def note(self, name: str, text: str) -> None:
        """Add a note about one setting."""
        self.notes.add(f"{self.path}.{name}" if self.path else name, text)

    def leave(self) -> None:
        """Add a note for every setting that was not taken, except null and empty ones."""
        for name, value in self._left.items():
            if value is not None and value not in ([], {}, ""):
                reasons = REASONS.get(self._section, {})
                self.note(name, reasons.get(name) or REASONS["any"].get(name) or UNHEARD)
        self._left = {}
