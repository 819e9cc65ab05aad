"""Detectors of an operator's own patterns."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.redaction.finding import Patterns, Span


class OwnPattern:
    """Finds whatever a configured pattern matches, anywhere in a text."""

    trigger = None  # nothing is known of what it matches

    def __init__(self, name: str, pattern: str, patterns: Patterns) -> None:
        self._name = name
        self._pattern = patterns.compile(pattern)

    @property
    def name(self) -> str:
        """Return its configured name."""
        return self._name

    def find(self, text: str) -> Iterator[Span]:
        """Yield each match."""
        for found in self._pattern.finditer(text):
            yield found.span()
