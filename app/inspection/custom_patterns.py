"""Detectors for patterns from the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.redaction.finding import Patterns, Span


class OwnPattern:
    """Finds the matches of a configured pattern, anywhere in a text."""

    trigger = None  # no cheaper test is known that every match passes

    def __init__(self, name: str, pattern: str, patterns: Patterns) -> None:
        self._name = name
        self._pattern = patterns.compile(pattern)

    @property
    def name(self) -> str:
        """Return its configured name."""
        return self._name

    def find(self, text: str) -> Iterator[Span]:
        """Yield each match."""
        for match in self._pattern.finditer(text):
            yield match.span()
