"""Check digits, which tell issued numbers from those that merely look like one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LETTER_A: Final = 10  # the value of A; see `letter_number`

# The dihedral group of order 10 and its permutations (J. Verhoeff, 1969).
_VERHOEFF_D: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def luhn(digits: str) -> bool:
    """Check a number whose last digit is its Luhn digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the cross sum of two digits
    return total % 10 == 0


def weighted(digits: str, weights: Sequence[int]) -> int:
    """Return the sum of the digits, each times its weight; digits beyond the weights do not count."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def verhoeff(digits: str) -> bool:
    """Check a number whose last digit is its Verhoeff digit."""
    check = "0"
    for place, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_D[int(check)][int(_VERHOEFF_P[place % 8][int(digit)])]
    return check == "0"


def mod_97(text: str) -> int:
    """Return the remainder by 97 of a text of digits and letters (A is 10, Z is 35; ISO/IEC 7064)."""
    return int("".join(str(int(char, 36)) for char in text)) % 97


def mod_11_10(digits: str) -> bool:
    """Check a number by ISO/IEC 7064, MOD 11,10, as the German tax number has it."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def letter_number(char: str) -> int:
    """Return the value of a letter: A is 10."""
    return ord(char) - ord("A") + _LETTER_A
