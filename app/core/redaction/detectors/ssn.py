"""Social security numbers of the United States, and the taxpayer numbers used instead of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from app.core.redaction.finding import DIGIT, Patterns, Span, is_word, stands_alone

# Without areas, groups and serials that were never issued (SSA); areas from 900 are those of taxpayer numbers (IRS).
_ISSUED: Final = re.compile(r"(?:(?!000|666|9)\d{3}(?!00)\d{2}|9\d{2}(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9]))(?!0000)\d{4}")


class Ssn:
    """Finds numbers in three groups, and nine digits in a row after a name of such numbers."""

    name = "ssn"
    trigger = rf"{DIGIT}{{3}}[\p{{Zs}}\p{{Pd}}−]?{DIGIT}{{2}}[\p{{Zs}}\p{{Pd}}−]?{DIGIT}{{4}}"  # noqa: RUF001 - as written

    def __init__(self, patterns: Patterns) -> None:
        self._grouped = patterns.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}")
        called = r"(?i:\bssn|\bitin|\bsocial[ -]security(?:[ -](?:number|no|num))?)"
        self._named = patterns.compile(rf"{called}[^0-9\n]{{0,16}}([0-9]{{9}})")

    def find(self, text: str) -> Iterator[Span]:
        """Yield each number that may have been issued."""
        for grouped in self._grouped.finditer(text):
            start, end = grouped.span()
            around = text[start - 1 : start], text[end : end + 1]
            digits = grouped[0].replace("-", "").replace(" ", "")
            if "-" not in around and stands_alone(text, (start, end)) and _ISSUED.fullmatch(digits):
                yield start, end
        for named in self._named.finditer(text):
            if _ISSUED.fullmatch(named[1]) and not is_word(text[named.span()[1] : named.span()[1] + 1]):
                yield named.span(1)
