"""What looks alike is spelled alike, as Unicode itself describes the characters."""

from __future__ import annotations

import unicodedata

from app.core.redaction.normalization import fold

BEYOND_ASCII = [chr(code) for code in range(0x80, 0x11000)]


def test_every_space_is_a_space() -> None:
    """Whatever Unicode calls one (Zs), and nothing else."""
    spaces = [char for char in BEYOND_ASCII if unicodedata.category(char) == "Zs"]

    folded = [char for char in BEYOND_ASCII if fold(char) == " "]

    assert folded == spaces


def test_digits_have_their_value() -> None:
    """Those of nineteen scripts, and the wide ones."""
    folded = [char for char in BEYOND_ASCII if fold(char).isascii() and fold(char).isdigit()]

    assert len(folded) == 200
    assert [int(fold(char)) for char in folded] == [unicodedata.digit(char) for char in folded]


def test_dashes_are_hyphens() -> None:
    """Of those that may stand in numbers; the wide one among them, and the sign for minus."""
    folded = [char for char in BEYOND_ASCII if fold(char) == "-"]

    assert {unicodedata.category(char) for char in folded} == {"Pd", "Sm"}
    assert [unicodedata.name(char) for char in folded if unicodedata.category(char) == "Sm"] == ["MINUS SIGN"]
    assert len(folded) == 11


def test_wide_letters_are_letters() -> None:
    """As Unicode's compatible form has them; everything else beyond ASCII stays what it is."""
    wide = [char for char in BEYOND_ASCII if "FULLWIDTH" in unicodedata.name(char, "") and char <= "\uff5e"]

    assert len(wide) == 94
    assert [fold(char) for char in wide] == [unicodedata.normalize("NFKC", char) for char in wide]
    assert fold("\u00e9\u4e2d") == "\u00e9\u4e2d"
