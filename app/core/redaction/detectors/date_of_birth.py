"""Dates of birth: dates shortly after a word for birth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.core.redaction.finding import DIGIT, Patterns, Span, stands_alone

_WORDS: Final = (
    r"born|birth|\bdob\b|\bd\.o\.b|birthday|geboren|geburtsdatum|geburtstag|\bgeb\.|\bn(?:é|ée|ee)[\s:(]|naissance|nacid[oa]"
    r"|nacimiento|nascid[oa]|nascimento|\bnat[oa] (?:il|a)|nascita|geboorte|född|født|urodz"
)
_BETWEEN_MAX: Final = 40  # characters between the word and the date
_MONTH: Final = (
    r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|gen|mag|giu|lug|ago|set|ott|dic|ene|abr|fev|fév"
    r"|avr|juin|juil|août|déc|mei|maa)\pL{0,8}"
)
_DAY, _YEAR = r"(?:[12]\d|3[01]|0?[1-9])", r"(?:19|20)\d\d"
_NUMBER: Final = r"(?:1[0-2]|0?[1-9])"
_DATE: Final = "|".join(
    (
        rf"{_YEAR}[-/.]{_NUMBER}[-/.]{_DAY}",
        rf"(?:{_DAY}[-/.] ?{_NUMBER}|{_NUMBER}[-/.] ?{_DAY})[-/.] ?(?:{_YEAR}|\d\d)",
        rf"{_DAY}(?:st|nd|rd|th|er)?\.?(?:[ -]| of | de )(?:{_MONTH})\.?,?(?:[ -]| de | of ){_YEAR}",
        rf"(?:{_MONTH})\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR}",
    )
)


class DateOfBirth:
    """Finds dates shortly after a word for birth, in some European languages."""

    name = "date_of_birth"
    trigger = (
        rf"(?i:born|birth|dob|d\.o\.b|gebor|gebur|geb\.|n[ée]|naiss|nacid|nacim|nasci|nat[oa]|geboorte|född|født|urodz)"
        rf"[^\n]{{0,60}}{DIGIT}"
    )

    def __init__(self, patterns: Patterns) -> None:
        between = rf"[^0-9\n]{{0,{_BETWEEN_MAX}}}?"
        self._named = patterns.compile(rf"(?i)(?:{_WORDS}){between}({_DATE})")

    def find(self, text: str) -> Iterator[Span]:
        """Yield each date."""
        for named in self._named.finditer(text):
            if stands_alone(text, named.span(1)):
                yield named.span(1)
