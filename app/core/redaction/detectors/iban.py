"""International bank account numbers (ISO 13616)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from app.core.redaction.checksums import mod_97
from app.core.redaction.finding import DIGIT, Patterns, Span, is_word

_REST: Final = re.compile(r"(?:[ -]?[A-Za-z0-9])+")
_MOST_CHARS: Final = 34 + 16  # the longest number, with a separator after about every second character
_RIGHT_REMAINDER: Final = 1

# The length of each country's numbers (SWIFT's IBAN registry, release 99).
_LENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {
        country: length
        for length, countries in (
            (15, "NO"), (16, "BE"), (18, "DK FK FO FI GL NL SD"), (19, "MK SI"), (20, "AT BA EE KZ LT LU MN XK"),
            (21, "CH HR LI LV"), (22, "BG BH CR DE GB GE IE ME RS VA"), (23, "AE GI IL IQ OM SO TL"),
            (24, "AD CZ ES MD PK RO SA SE SK TN VG YE"), (25, "LY PT ST"), (26, "IS TR"),
            (27, "BI DJ FR GR IT MC MR SM"), (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"), (29, "BR EG PS QA UA"),
            (30, "JO KW MU"), (31, "MT SC"), (32, "LC"), (33, "RU"),
        )
        for country in countries.split()
    }
)  # fmt: skip


class Iban:
    """Finds numbers with their country's length and valid check digits, in one piece or in groups."""

    name = "iban"
    trigger = rf"[A-Za-z]{{2}}{DIGIT}{{2}}[\p{{Zs}}\p{{Pd}}]?[A-Za-z0-9]{{2}}"

    def __init__(self, patterns: Patterns) -> None:
        self._head = patterns.compile(r"[A-Za-z]{2}[0-9]{2}")

    def find(self, text: str) -> Iterator[Span]:
        """Yield each number."""
        for head in self._head.finditer(text):
            start, end_of_head = head.span()
            length = _LENGTHS.get(head[0][:2].upper())
            if length is None or is_word(text[start - 1 : start]):
                continue
            end = _end(text, end_of_head, length - (end_of_head - start))
            if end is not None and _is_valid(text[start:end]):
                yield start, end


def _end(text: str, position: int, missing: int) -> int | None:
    """Return where the number ends that has `missing` more characters from `position`; None if there are too few."""
    rest = _REST.match(text, position, position + _MOST_CHARS)
    if rest is None:
        return None
    for place in range(*rest.span()):
        missing -= text[place] not in " -"
        if missing == 0:
            return None if is_word(text[place + 1 : place + 2]) else place + 1
    return None


def _is_valid(written: str) -> bool:
    number = written.replace(" ", "").replace("-", "").upper()
    return number.isascii() and mod_97(number[4:] + number[:4]) == _RIGHT_REMAINDER
