"""
Folds equivalent characters: digits of all scripts, spaces, dashes and full-width letters become ASCII.

Every character stays one character, so positions in folded text are those of the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
_FULL_WIDTH_OFFSET: Final = 0xFF01 - ord("!")
# The zeros of Arabic (two), N'Ko, Devanagari, Bengali, Gurmukhi, Gujarati, Oriya, Tamil, Telugu, Kannada, Malayalam,
# Sinhala, Thai, Lao, Tibetan, Myanmar, Khmer and Mongolian; nine more digits follow each.
_ZEROS: Final = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x17E0, 0x1810,
)  # fmt: skip
_SPACES: Final = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_DASHES: Final = (0x58A, *range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63)


def fold(text: str) -> str:
    """Return the folded text, which has the same length."""
    return text if text.isascii() else text.translate(_FOLDS)


_FOLDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        **{code: chr(code - _FULL_WIDTH_OFFSET) for code in _FULL_WIDTH},
        **{zero + digit: str(digit) for zero in _ZEROS for digit in range(10)},
        **dict.fromkeys(_SPACES, " "),
        **dict.fromkeys(_DASHES, "-"),
    }
)
