"""Numbers of payment cards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.core.redaction.checksums import luhn
from app.core.redaction.finding import DIGIT, Patterns, Span

_GROUP: Final = re.compile(r"\d+")
_LEAST, _MOST = 12, 19  # digits; ISO/IEC 7812-1; some Maestro cards have twelve
_MOST_GROUPS: Final = 5  # card numbers are not written in more

# The first four digits that issuers of cards use, with the lengths of their numbers.
_ISSUERS: Final = (
    (3000, 3059, range(14, 20)), (3095, 3095, range(14, 20)), (3600, 3699, range(14, 20)),  # Diners Club
    (3800, 3999, range(14, 20)), (3400, 3499, range(15, 16)), (3700, 3799, range(15, 16)),  # American Express
    (3500, 3599, range(16, 20)), (2131, 2131, range(15, 16)), (1800, 1800, range(15, 16)),  # JCB
    *((head, head, range(12, 13)) for head in (5018, 5020, 5038, 6304, 6759, 6761, 6762, 6763)),  # Maestro
    (4000, 4999, range(13, 20, 3)),  # Visa
    (5000, 5099, range(13, 20)), (5100, 5599, range(16, 17)), (5600, 5899, range(12, 20)),  # Mastercard, Maestro
    (2200, 2204, range(16, 20)), (2221, 2720, range(16, 17)),  # Mir, Mastercard
    (6000, 6999, range(13, 20)),  # Discover, UnionPay, Maestro, RuPay
    (8100, 8171, range(16, 20)),  # UnionPay
)  # fmt: skip


class CreditCard:
    """Finds numbers of an issuer's range and length that pass the Luhn test, in one piece or in groups."""

    name = "credit_card"
    trigger = rf"{DIGIT}(?:[\p{{Zs}}\p{{Pd}}−]?{DIGIT}){{{_LEAST - 1}}}"  # noqa: RUF001 - a minus sign is meant

    def __init__(self, patterns: Patterns) -> None:
        self._run = patterns.compile(rf"[0-9](?:[ -]?[0-9]){{{_LEAST - 1},}}")

    def find(self, text: str) -> Iterator[Span]:
        """Yield each number."""
        for run in self._run.finditer(text):
            yield from _in_run([group.span() for group in _GROUP.finditer(text, *run.span())], text)


def _in_run(groups: Sequence[Span], text: str) -> Iterator[Span]:
    """Yield the cards in adjacent groups of digits: the longest at each place, without overlaps."""
    first = 0
    while first < len(groups):
        start = groups[first][0]
        for last in range(min(first + _MOST_GROUPS, len(groups)), first, -1):
            end = groups[last - 1][1]
            if end - start < _LEAST:
                break
            number = text[start:end].replace(" ", "").replace("-", "")
            alone = last - first == len(groups)  # twelve digits between others are not taken for a card
            if _is_card(number) and (alone or len(number) > _LEAST):
                yield start, end
                first = last - 1
                break
        first += 1


def _is_card(number: str) -> bool:
    if not _LEAST <= len(number) <= _MOST:
        return False
    head = int(number[:4])
    issued = any(low <= head <= high and len(number) in lengths for low, high, lengths in _ISSUERS)
    return issued and len(set(number)) > 1 and luhn(number)
