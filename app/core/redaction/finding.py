"""What a detector is, what it finds, and what becomes of finds that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

Span: TypeAlias = tuple[int, int]  # start and end of a find, in characters

# For triggers: digits and what may stand between groups of them, in any script.
DIGIT: Final = r"\p{Nd}"
GAP: Final = r"[\p{Zs}\p{Pd}−.()/．（）／]"  # noqa: RUF001 - these are meant


class Finding(msgspec.Struct, frozen=True):
    """A stretch of text that the detector of this name found."""

    start: int
    end: int
    detector: str


class Detector(Protocol):
    """One kind of thing that is looked for. Pure; serves any number of texts."""

    @property
    def name(self) -> str:
        """Return the name in configuration and metrics."""

    @property
    def trigger(self) -> str | None:
        r"""
        Return a cheap test, in RE2's syntax: what does not match it holds nothing to find. None: there is no such test.

        It is also put to JSON text, so it must match whatever the escapes of JSON make of a find (`\\"` for a quotation
        mark); escapes by number are resolved before.
        """

    def find(self, text: str) -> Iterable[Span]:
        """Yield where in `text` it is found. Folded text: other scripts' digits, spaces and dashes are ASCII."""


class Match(Protocol):
    """One place that a pattern matches."""

    def span(self, group: int = 0, /) -> Span:
        """Return where a group matched."""

    def __getitem__(self, group: int, /) -> str:
        """Return what a group matched."""


class Pattern(Protocol):
    """A compiled pattern."""

    def finditer(self, text: str, /) -> Iterator[Match]:
        """Yield the matches from left to right."""


class Scanner(Protocol):
    """Several patterns in one pass over a text."""

    def __call__(self, text: str | bytes, /) -> Sequence[int]:
        """Return which of the patterns match, by number, in any order."""


class Patterns(Protocol):
    """
    Where patterns are compiled: an engine whose time grows with the text and with nothing else (RE2).

    Patterns have neither back references nor looks ahead or behind, so that it can keep this promise.
    """

    def compile(self, pattern: str) -> Pattern:
        """Compile one pattern."""

    def scanner(self, patterns: Sequence[str]) -> Scanner:
        """Compile patterns of which only is asked whether they match."""


def stands_alone(text: str, span: Span) -> bool:
    """Say that no letter, digit or underscore touches the span."""
    start, end = span
    return not (is_word(text[start - 1 : start]) or is_word(text[end : end + 1]))


def is_word(char: str) -> bool:
    """Say whether a character is part of a word; the empty text is none."""
    return char.isalnum() or char == "_"


def merged(findings: Iterable[Finding], rank: Callable[[str], int]) -> list[Finding]:
    """
    Join finds that overlap, in the name of the one with the least rank: nothing that anybody found is left over.

    Returns:
        Findings by their start, none of which overlap.
    """
    found: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end)):
        last = found[-1] if found else None
        if last is None or finding.start >= last.end:
            found.append(finding)
            continue
        detector = min(last.detector, finding.detector, key=rank)
        found[-1] = Finding(last.start, max(last.end, finding.end), detector)
    return found
