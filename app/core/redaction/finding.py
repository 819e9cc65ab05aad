"""The protocols of detectors and patterns, and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

Span: TypeAlias = tuple[int, int]  # start and end of a finding, in characters

# For triggers: a digit, and a separator of groups of digits, in any script.
DIGIT: Final = r"\p{Nd}"
GAP: Final = r"[\p{Zs}\p{Pd}−.()/．（）／]"  # noqa: RUF001 - these are meant


class Finding(msgspec.Struct, frozen=True):
    """A span of text that the detector of this name found."""

    start: int
    end: int
    detector: str


class Detector(Protocol):
    """Finds one kind of sensitive value. Pure; serves any number of texts."""

    @property
    def name(self) -> str:
        """Return the name in configuration and metrics."""

    @property
    def trigger(self) -> str | None:
        r"""
        Return a cheap prefilter, a pattern in RE2's syntax that matches every text with a finding; None: there is none.

        It is also matched against JSON text, so it must match escaped values as well (`\\"` for a quotation mark);
        numeric escapes need not be considered.
        """

    def find(self, text: str) -> Iterable[Span]:
        """Yield the findings in `text`, which is folded: digits, spaces and dashes of all scripts are ASCII."""


class Match(Protocol):
    """One match of a pattern."""

    def span(self, group: int = 0, /) -> Span:
        """Return the span of a group."""

    def __getitem__(self, group: int, /) -> str:
        """Return the text of a group."""


class Pattern(Protocol):
    """A compiled pattern."""

    def finditer(self, text: str, /) -> Iterator[Match]:
        """Yield the matches from left to right."""


class Scanner(Protocol):
    """Matches several patterns in one pass over a text."""

    def __call__(self, text: str | bytes, /) -> Sequence[int]:
        """Return the indices of the patterns that match, in any order."""


class Patterns(Protocol):
    """
    Compiles patterns: a regular expression engine that takes time linear in the text (RE2).

    Patterns therefore have neither back references nor lookarounds.
    """

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""

    def scanner(self, patterns: Sequence[str]) -> Scanner:
        """Compile patterns into one scanner."""


def stands_alone(text: str, span: Span) -> bool:
    """Return whether no letter, digit or underscore touches the span."""
    start, end = span
    return not (is_word(text[start - 1 : start]) or is_word(text[end : end + 1]))


def is_word(char: str) -> bool:
    """Return whether a character is part of a word; False for the empty text."""
    return char.isalnum() or char == "_"


def merged(findings: Iterable[Finding], rank: Callable[[str], int]) -> list[Finding]:
    """
    Join findings that overlap; the result has the detector with the lowest rank, and covers all of them.

    Returns:
        Findings that do not overlap, sorted by their start.
    """
    joined: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end)):
        last = joined[-1] if joined else None
        if last is None or finding.start >= last.end:
            joined.append(finding)
            continue
        detector = min(last.detector, finding.detector, key=rank)
        joined[-1] = Finding(last.start, max(last.end, finding.end), detector)
    return joined
