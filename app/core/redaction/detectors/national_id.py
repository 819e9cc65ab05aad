"""
National identification numbers of states other than the United States: their formats and check digits.

A number without a check digit, or with one that many other numbers pass, is found only in its usual groups or after its
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from app.core.redaction.checksums import letter_number, luhn, mod_11_10, verhoeff, weighted
from app.core.redaction.finding import Patterns, Span, stands_alone

_SEPARATORS: Final = re.compile(r"[ .+-]")  # a plus is in numbers of people over a hundred (SE, FI)
_BETWEEN_MAX: Final = 24  # characters between the name and the number
Check = Callable[[str], bool]  # of a number without separators, in capitals


class NationalId(msgspec.Struct, frozen=True):
    """
    One kind of number.

    `shape` and `names` are patterns of its format and of its names; with `needs_name` it is found only after a name.
    """

    country: str
    shape: str
    check: Check
    names: str = ""
    needs_name: bool = False


def _always(_number: str) -> bool:
    return True


def _divides(by: int, *weights: int) -> Check:
    return lambda number: weighted(number, weights) % by == 0


def _mod_11(*weights: int) -> Check:
    """Return a check of the digit after the weighted ones; 10 is written as 0."""
    return lambda number: int(number[len(weights)]) == (11 - weighted(number, weights) % 11) % 11 % 10


_PESEL: Final = _divides(10, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)  # Poland
_AHV: Final = _divides(10, *(1, 3) * 6, 1)  # Switzerland: EAN-13
_TFN: Final = _divides(11, 1, 4, 3, 7, 5, 8, 6, 9, 10)  # Australia
_NIF: Final = _mod_11(*range(9, 1, -1))  # Portugal
_MY_NUMBER: Final = _mod_11(6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # Japan
_CPF: Final = (_mod_11(*range(10, 1, -1)), _mod_11(*range(11, 1, -1)))  # Brazil


def _nino(number: str) -> bool:  # United Kingdom, HMRC manual NIM39110
    return number[:2] not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}


def _nhs(number: str) -> bool:  # United Kingdom, NHS data dictionary
    check = 11 - weighted(number, range(10, 1, -1)) % 11
    return int(number[9]) == (0 if check == 11 else check)  # noqa: PLR2004 - 10 never fits


def _nir(number: str) -> bool:  # France, INSEE
    digits = number[:13].replace("2A", "19").replace("2B", "18")
    return digits.isdigit() and 97 - int(digits) % 97 == int(number[13:])


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def _dni(number: str) -> bool:  # Spain, Real Decreto 1553/2005
    digits = number[:-1].replace("X", "0", 1).replace("Y", "1", 1).replace("Z", "2", 1)
    return _DNI_LETTERS[int(digits) % 23] == number[-1]


_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _codice_fiscale(number: str) -> bool:  # Italy, D.M. 23/12/1976
    values = [int(char) if char.isdigit() else ord(char) - ord("A") for char in number[:15]]
    total = sum(_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return chr(ord("A") + total % 26) == number[15]


def _bsn(number: str) -> bool:  # Netherlands, the test of eleven
    return weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and len(set(number)) > 1


def _belgian(number: str) -> bool:  # Belgium; born since 2000 with a 2 before it
    head, check = number[:9], int(number[9:])
    return check in {97 - int(head) % 97, 97 - int(f"2{head}") % 97}


def _hetu(number: str) -> bool:  # Finland, DVV
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[-4:-1]) % 31] == number[-1]


def _fodselsnummer(number: str) -> bool:  # Norway, Skatteetaten
    first, second = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return weighted(number, first) % 11 == 0 and weighted(number, second) % 11 == 0


def _pps(number: str) -> bool:  # Ireland
    extra = 9 * (letter_number(number[8]) - 9) if len(number) > 8 and number[8] != "W" else 0  # noqa: PLR2004 - two letters
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(number[:7], range(8, 1, -1)) + extra) % 23] == number[7]


def _cpf(number: str) -> bool:  # Brazil, no digit repeated throughout
    return len(set(number)) > 1 and all(check(number) for check in _CPF)


def _aadhaar(number: str) -> bool:  # India, UIDAI
    return number[0] not in "01" and verhoeff(number)


def _chinese(number: str) -> bool:  # GB 11643-1999
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(number[:17], weights) % 11] == number[17]


def _korean(number: str) -> bool:  # valid for those born before October 2020
    return (11 - weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(number[12])


def _nric(number: str) -> bool:  # Singapore
    total = weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if number[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if number[0] in "ST" else "XWUTRQPNMLK")[total % 11] == number[8]


def _turkish(number: str) -> bool:
    digits = [int(digit) for digit in number]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


_G: Final = "[ .-]?"  # between groups
NATIONAL_IDS: Final = (
    NationalId("GB", rf"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]{_G}\d\d{_G}\d\d{_G}\d\d{_G}[A-D]", _nino),
    NationalId("GB", r"\d{3}[ -]?\d{3}[ -]?\d{4}", _nhs, r"\bnhs\b", needs_name=True),
    NationalId("FR", rf"[1-478]{_G}\d\d{_G}(?:0[1-9]|[1-9]\d){_G}(?:\d\d|2[AB]){_G}\d{{3}}{_G}\d{{3}}{_G}\d\d", _nir),
    NationalId("ES", r"(?:\d{8}|[XYZ]-?\d{7})[ -]?[A-HJ-NP-TV-Z]", _dni),
    NationalId("IT", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", _codice_fiscale),
    NationalId("DE", r"[1-9]\d[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}", mod_11_10, r"steuer|\bidnr|\btin\b|tax", needs_name=True),
    NationalId("NL", r"\d{9}", _bsn, r"\bbsn\b|burgerservice|sofi", needs_name=True),
    NationalId("BE", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _belgian),
    NationalId("SE", r"(?:19|20)?\d\d(?:0\d|1[0-2])(?:[0-2]\d|3[01]|[6-9]\d)[-+]\d{4}", lambda n: luhn(n[-10:])),
    NationalId("DK", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d-\d{4}", _always, r"\bcpr\b", needs_name=True),
    NationalId("FI", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", _hetu),
    NationalId("NO", r"(?:[04][1-9]|[1256]\d|[37][01])(?:0[1-9]|1[0-2])\d\d[ ]?\d{5}", _fodselsnummer),
    NationalId("PL", r"\d\d(?:[02468][1-9]|[13579][0-2])\d{7}", _PESEL, r"pesel", needs_name=True),
    NationalId("CH", r"756[ .]\d{4}[ .]\d{4}[ .]\d\d", _AHV),
    NationalId("IE", r"\d{7}[A-W][A-IW]?", _pps, r"\bpps", needs_name=True),
    NationalId("PT", r"[1-3]\d{8}", _NIF, r"\bnif\b|contribuinte", needs_name=True),
    NationalId("BR", r"\d{3}\.\d{3}\.\d{3}-\d\d", _cpf),
    NationalId("BR", r"\d{11}", _cpf, r"\bcpf\b", needs_name=True),
    NationalId("IN", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", _aadhaar),
    NationalId("IN", r"\d{12}", _aadhaar, r"aadhaa?r|\buid", needs_name=True),
    NationalId("IN", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", _always),
    NationalId("CN", r"[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]", _chinese),
    NationalId("KR", r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]\d{6}", _korean),
    NationalId("JP", r"\d{4}[ -]?\d{4}[ -]?\d{4}", _MY_NUMBER, r"my ?number|マイナンバー|個人番号", needs_name=True),
    NationalId("SG", r"[STFG]\d{7}[A-Z]", _nric),
    NationalId("AU", r"\d{3}[ ]?\d{3}[ ]?\d{3}", _TFN, r"\btfn\b|tax file", needs_name=True),
    NationalId("CA", r"[1-79]\d\d[ -]\d{3}[ -]\d{3}", luhn, r"\bsin\b|social insurance", needs_name=True),
    NationalId("TR", r"[1-9]\d{10}", _turkish, r"kimlik|\btckn?\b", needs_name=True),
    NationalId("MX", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", _always),
    NationalId("ZA", r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}[01]\d\d", luhn, r"\bid\b", needs_name=True),
)


class NationalIds:
    """Finds numbers of some thirty kinds with valid check digits."""

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
                if _apart(text, span) and kind.check(_SEPARATORS.sub("", found[1]).upper()):
                    yield span


def _apart(text: str, span: Span) -> bool:
    """Return whether a number is not part of a longer one."""
    return stands_alone(text, span) and "-" not in (text[span[0] - 1 : span[0]], text[span[1] : span[1] + 1])


def _pattern(kind: NationalId) -> str:
    named = rf"(?i:{kind.names})[^0-9\n]{{0,{_BETWEEN_MAX}}}?" if kind.needs_name else ""
    return rf"{named}({kind.shape})"
