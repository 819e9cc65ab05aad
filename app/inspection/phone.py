"""
Detect phone numbers with Google's libphonenumber, after cheap tests.

The library knows the formats of all countries. It is called only for text that already looks like a number, because it
takes about a hundred times as long as everything else here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumberMatcher

from app.core.redaction.finding import DIGIT, GAP, Patterns, Span, is_word

_LEAST_DIGITS, _MOST_DIGITS = 7, 15  # ITU-T E.164
_LABEL: Final = re.compile(
    r"(?:phone|mobile|cell|call|fax|tel|whatsapp|sms|text|dial|contact|hotline|number|nummer|numéro|teléfono|móvil|handy"
    r"|mobil|celular|portable|ring|reach)\W{0,3}(?:\w+\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_LABEL_CHARS: Final = 40
# North American grouping, accepted without the library: 555-123-4567 is not assigned, but meant as a number.
_NORTH_AMERICAN: Final = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}")
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|[12]\d|3[01])[-./](?:19|20)?\d\d(?![-./]?\d)"
)
_EXTENSION: Final = re.compile(r" ?(?:x|ext\.?) ?\d{1,6}(?!\w)", re.IGNORECASE)
_BOUNDARIES: Final = ("", " ", "(", ")", "/")
_GAPS: Final = re.compile(r"[ .()/-]")


class Phone:
    """
    Finds international numbers (`+` and country code), North American ones, and those in the format of some regions.

    Digits without separators count only after a word such as `phone`.

    Args:
        patterns: Compiles the pattern of candidates.

        regions: Two-letter country codes.
    """

    name = "phone"
    trigger = rf"{DIGIT}(?:{GAP}{{0,3}}{DIGIT}){{{_LEAST_DIGITS - 1}}}"

    def __init__(self, patterns: Patterns, regions: Sequence[str]) -> None:
        self._candidate = patterns.compile(
            rf"\+?\(?[0-9](?:[ .()/-]{{0,2}}[0-9]){{{_LEAST_DIGITS - 1},{_MOST_DIGITS + 4}}}"
        )
        self._regions = tuple(regions)

    def find(self, text: str) -> Iterator[Span]:
        """Yield each number."""
        for candidate in self._candidate.finditer(text):
            start, end = candidate.span()
            extension = _EXTENSION.match(text, end)
            inside = is_word(text[start - 1 : start]) or text[start - 1 : start] == "."
            if inside or (extension is None and is_word(text[end : end + 1])):
                continue
            for span in self._numbers(text, start, end):
                yield span if extension is None or span[1] < end else (span[0], extension.end())

    def _numbers(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Yield the numbers in a run of digits and separators, which may hold several."""
        while end - start >= _LEAST_DIGITS:
            span = self._number(text[start:end], text[max(0, start - _LABEL_CHARS) : start])
            if span is None:
                return
            yield start + span[0], start + span[1]
            start += span[1]

    def _number(self, written: str, before: str) -> Span | None:
        """Return the span of the first number in a candidate; `before` is the text in front of it."""
        for north_american in _NORTH_AMERICAN.finditer(written):
            start, end = north_american.span()
            if written[start - 1 : start] in _BOUNDARIES and written[end : end + 1] in _BOUNDARIES:
                return start, end
        if written.startswith("+"):
            return (0, len(written)) if _is_international(written) else None
        if _DATE.match(written):
            return None
        is_labelled = _LABEL.search(before) is not None
        if not is_labelled and not _GAPS.search(written):
            return None
        if is_labelled and _is_short(written):
            return 0, len(written)
        return self._of_region(written) if sum(map(str.isdigit, written)) <= _MOST_DIGITS else None

    def _of_region(self, written: str) -> Span | None:
        for region in self._regions:
            for match in PhoneNumberMatcher(written, region, leniency=Leniency.STRICT_GROUPING, max_tries=2):
                return match.start, match.end
        return None


def _is_international(written: str) -> bool:
    try:
        number = phonenumbers.parse(written)
    except NumberParseException:
        return False
    return phonenumbers.is_possible_number(number)


def _is_short(written: str) -> bool:
    """Return whether this is a number without an area code, such as 555-1234."""
    return re.fullmatch(r"\d{3}[ .-]\d{4}", written) is not None
