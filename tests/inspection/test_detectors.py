"""Detectors that stand on libraries: telephone numbers and an operator's patterns."""

from __future__ import annotations

import time

import pytest

from app.core.redaction.finding import Detector
from app.inspection.custom_patterns import OwnPattern
from app.inspection.patterns import PatternError, Re2Patterns
from app.inspection.phone import Phone
from tests.core.redaction.corpus import samples
from tests.core.redaction.parts import DETECTORS, PATTERNS, found, inspector

EUROPE = Phone(PATTERNS, ["GB", "DE", "FR"])


def finds(text: str, phone: Phone = Phone(PATTERNS, ["US"])) -> list[str]:  # noqa: B008 - never changes
    """Return the numbers in a text."""
    return [text[start:end] for start, end in phone.find(text)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("call 555-123-4567 now", ["555-123-4567"]),
        ("(555) 123-4567, 555.123.4567", ["(555) 123-4567", "555.123.4567"]),
        ("+1 (555) 123-4567 and 1-800-555-0199", ["+1 (555) 123-4567", "1-800-555-0199"]),
        ("+44 20 7946 0958, +15551234567", ["+44 20 7946 0958", "+15551234567"]),
        ("phone: 2125550123, my number is 212 555 0123", ["2125550123", "212 555 0123"]),
        ("call 555-1234", ["555-1234"]),
        (
            "345-899-3560x4587, 345-899-3560 ext. 12",
            ["345-899-3560x4587", "345-899-3560 ext. 12"],
        ),
        ("id 2125550123, 555-1234, 020 7946 0958", []),
        ("2024-01-15 10:30, 15.01.2024 1030, 2024/01/15-16", []),
        ("+999 123 456 789, +1 23", []),
        ("192.168.100.200, x5551234567, 555-123-4567x, 1.555.123.4567.8", []),
        ("4111 1111 1111 1111, 12345678901234567890", []),
    ],
)
def test_numbers_of_one_country(text: str, numbers: list[str]) -> None:
    """With a country, in the groups of North America, or by their name; not dates, addresses and other numbers."""
    assert finds(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("020 7946 0958 or 07700 900123", ["020 7946 0958", "07700 900123"]),
        ("030/901820, 0171 1234567", ["030/901820", "0171 1234567"]),
        ("tel 0612345678, 06 12 34 56 78, 03.93.92.16.85", ["0612345678", "06 12 34 56 78", "03.93.92.16.85"]),
        ("0612345678", []),
    ],
)
def test_numbers_of_other_countries(text: str, numbers: list[str]) -> None:
    """As they are written there, for the countries that are configured."""
    assert finds(text, EUROPE) == numbers


def test_own_patterns() -> None:
    """Whatever the pattern matches, wherever it stands."""
    own = OwnPattern("ticket", r"TCK-\d+", PATTERNS)

    assert (own.name, own.trigger, list(own.find("xTCK-1 TCK-22"))) == ("ticket", None, [(1, 6), (7, 13)])


def test_patterns_that_are_none() -> None:
    """RE2 says what is wrong; what it cannot keep in linear time it does not take."""
    for pattern in ("(", "(?=x)", r"(a)\1"):
        with pytest.raises(PatternError):
            Re2Patterns().compile(pattern)


def test_the_scanner_says_which() -> None:
    """By number, for text and for bytes."""
    scan = PATTERNS.scanner(["a", "b+c", "é"])

    assert [sorted(scan(text)) for text in ("bbc a", b"bc", "é", "x", "")] == [[0, 1], [1], [2], [], []]


HOSTILE = [
    piece * (100_000 // len(piece))
    for piece in (
        "1 ", "1-", "+1", "a@", "@a.b", ":", "::1", "DE12 ", "password: ", "-----BEGIN PRIVATE KEY-----", "born ", "a://b:",
        "sk-", "eyJ", ".eyJ", "9", "AB 12 ", "1.1.1.", "(", "5551234567 ",
    )
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].strip())
def test_nothing_is_quadratic(text: str) -> None:
    """A hundred kilobytes of the worst texts take less than two seconds of a slow machine, with all detectors."""
    began = time.process_time()

    for detector in DETECTORS.values():
        list(detector.find(text))

    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS.keys())
def test_a_trigger_never_misses(detector: Detector) -> None:
    """Wherever a detector finds something, its trigger has fired."""
    scan = PATTERNS.scanner([detector.trigger or ""])

    for sample in samples():
        if list(detector.find(sample.text)):
            assert scan(sample.text)


def test_allowed_numbers() -> None:
    """What is allowed is not found, in the spelling that is allowed."""
    allowed = inspector("phone", allow=["555-123-4567"])

    assert found("555-123-4567 555-123-4568", allowed) == [("phone", "555-123-4568")]
