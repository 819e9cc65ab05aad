"""Numbers by which states other than the United States tell people apart; the table is in `national_ids`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.core.redaction.finding import Patterns, Span, stands_alone
from app.core.redaction.national_ids import NATIONAL_IDS, NationalId, bare

_BETWEEN_MAX: Final = 24  # characters between the name and the number


class NationalIds:
    """Finds numbers of some thirty kinds that pass their check."""

    name = "national_id"
    # Either seven digits in groups, or capitals and digits as in PAN, CURP, codice fiscale, NRIC and NINO.
    trigger = (
        r"\p{Nd}(?:[\p{Zs}\p{Pd}.]?\p{Nd}){6}|\p{Nd}{6}[-+A-Y]\p{Nd}{3}|[A-Z]{5}\p{Nd}{4}|[A-Z]{4}\p{Nd}{6}"
        r"|[A-Z]{6}\p{Nd}{2}[A-Z]|[A-Z]{2}[\p{Zs}\p{Pd}.]?\p{Nd}{2}[\p{Zs}\p{Pd}.]?\p{Nd}{2}"
    )

    def __init__(self, patterns: Patterns) -> None:
        written = [_pattern(kind) for kind in NATIONAL_IDS]
        self._which = patterns.scanner(written)
        self._kinds = tuple(zip(map(patterns.compile, written), NATIONAL_IDS, strict=True))

    def find(self, text: str) -> Iterator[Span]:
        """Yield each number."""
        for number in self._which(text):
            pattern, kind = self._kinds[number]
            for found in pattern.finditer(text):
                span = found.span(1)
                if _apart(text, span) and kind.check(bare(found[1])):
                    yield span


def _apart(text: str, span: Span) -> bool:
    """Say that a number is not the middle of a longer one."""
    return stands_alone(text, span) and "-" not in (text[span[0] - 1 : span[0]], text[span[1] : span[1] + 1])


def _pattern(kind: NationalId) -> str:
    named = rf"(?i:{kind.names})[^0-9\n]{{0,{_BETWEEN_MAX}}}?" if kind.needs_name else ""
    return rf"{named}({kind.shape})"
