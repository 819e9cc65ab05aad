"""
Patterns by RE2, whose time grows with the text and with nothing else, whatever the pattern.

A set of patterns is one automaton, which costs about 2 µs for a kilobyte of text, whatever is in the set.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from app.core.redaction.finding import Pattern, Scanner

_NOTHING: Sequence[int] = ()
_MEMORY_BYTES = 64 << 20  # for the automata's states, which are made as texts need them


class PatternError(ValueError):
    """A text is no pattern that RE2 takes; says why."""


class Re2Patterns:
    """Compiles for good: a gateway does this once."""

    def compile(self, pattern: str) -> Pattern:
        """
        Compile one pattern.

        Raises:
            PatternError: It is none.
        """
        try:
            compiled: Pattern = re2.compile(pattern, _options())
        except re2.error as error:
            raise PatternError(_words(error)) from error
        return compiled

    def scanner(self, patterns: Sequence[str]) -> Scanner:
        """Compile patterns of which only is asked whether they match; there must be one."""
        return _SetScanner(patterns)


class _SetScanner:
    def __init__(self, patterns: Sequence[str]) -> None:
        self._set = re2.Set.SearchSet(_options())
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def __call__(self, text: str | bytes) -> Sequence[int]:
        return self._set.Match(text) or _NOTHING


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return options


def _words(error: re2.error) -> str:
    told = error.args[0] if error.args else ""
    return told.decode(errors="replace") if isinstance(told, bytes) else str(told)
