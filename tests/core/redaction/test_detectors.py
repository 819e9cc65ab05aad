"""What each detector finds, and what only looks like it."""

from __future__ import annotations

import pytest

from app.core.redaction.detectors.secrets import PEM_MOST_CHARS
from tests.core.redaction.parts import DETECTORS, found, inspector

WIDE = "4111 1111 1111 1111".translate({ord(digit): chr(0xFF10 + int(digit)) for digit in "41"})


def finds(detector: str, text: str) -> list[str]:
    """Return what one detector finds in a text."""
    return [value for _, value in found(text, inspector(detector))]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("john.doe@example.com", ["john.doe@example.com"]),
        ("o'brien@x.co.uk, <a_b+c@sub.example.museum>.", ["o'brien@x.co.uk", "a_b+c@sub.example.museum"]),
        ("write to 'jane@x.org'", ["jane@x.org"]),
        ("josé@exämple.de and 用户@例子.公司", ["josé@exämple.de", "用户@例子.公司"]),
        ("https://x.org/?mail=john%40example.com&y=1", ["john%40example.com"]),
        ("user@xn--bcher-kva.xn--p1ai", ["user@xn--bcher-kva.xn--p1ai"]),
        ("x\uff20example.com", ["x\uff20example.com"]),
        ("a@b.com.", ["a@b.com"]),
        ("git@github.com:a/b", []),
        ("react@18.2.0 @decorator a@localhost @ x.@y.com '@z.com a@1.2.3", []),
        (f"{'a' * 80}@example.com", [f"{'a' * 64}@example.com"]),
    ],
)
def test_email(text: str, values: list[str]) -> None:
    """Addresses of people, in any script; not what else has such a sign."""
    assert finds("email", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("4111-1111-1111-1111 123", ["4111-1111-1111-1111"]),
        ("card 1234 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("378282246310005,30569309025904", ["378282246310005", "30569309025904"]),
        ("501854127856, 213123456789019? 180051662803027", ["501854127856", "180051662803027"]),
        ("4111111111111111 5555555555554444", ["4111111111111111", "5555555555554444"]),
        (WIDE, [WIDE]),
        ("٤١١١١١١١١١١١١١١١", ["٤١١١١١١١١١١١١١١١"]),
        ("4111\u00a01111\u00a01111\u00a01111", ["4111\u00a01111\u00a01111\u00a01111"]),
        ("4111 1111 1111 1112, 9999 9999 9999 9995, 0000 0000 0000 0000, 41111111111111111111", []),
        ("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6", []),
    ],
)
def test_credit_card(text: str, values: list[str]) -> None:
    """Numbers of an issuer that pass the Luhn test, in the digits of any script, and no more than the number."""
    assert finds("credit_card", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("DE89 3704 0044 0532 0130 00.", ["DE89 3704 0044 0532 0130 00"]),
        ("gb29nwbk60161331926819", ["gb29nwbk60161331926819"]),
        ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", ["MT84 MALT 0110 0001 2345 MTLC AST0 01S"]),
        ("NO93 8601 1117 947 and DE89370400440532013000", ["NO93 8601 1117 947", "DE89370400440532013000"]),
        ("DE88 3704 0044 0532 0130 00", []),
        ("DE89 3704 0044", []),
        ("XX89370400440532013000 XDE89370400440532013000 DE89370400440532013000X ab12", []),
    ],
)
def test_iban(text: str, values: list[str]) -> None:
    """Numbers of the length of their country whose check digits are right."""
    assert finds("iban", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("123-45-6789 or 123 45 6789", ["123-45-6789", "123 45 6789"]),
        ("SSN: 123456789", ["123456789"]),
        ("social security number is 123456789.", ["123456789"]),
        ("ITIN 912-70-4567", ["912-70-4567"]),
        ("000-12-3456 666-12-3456 123-00-4567 123-45-0000 912-34-5678", []),
        ("123456789 x123-45-6789 123-45-67890 9-123-45-6789 ssn 1234567890", []),
    ],
)
def test_ssn(text: str, values: list[str]) -> None:
    """Numbers that may have been given out, in groups or by their name."""
    assert finds("ssn", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("10.1.2.3, 8.8.8.8:53", ["10.1.2.3", "8.8.8.8"]),
        ("2001:db8::1:2. fe80::1ff:fe23:4567:890a", ["2001:db8::1:2", "fe80::1ff:fe23:4567:890a"]),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", ["2001:0db8:85a3:0000:0000:8a2e:0370:7334"]),
        ("::ffff:192.0.2.128", ["::ffff:192.0.2.128"]),
        ("127.0.0.1 0.0.0.0 255.255.255.0 ::1 :: 256.1.1.1 1.2.3.4.5 01.2.3.4.", []),
        ("version 1.2.3.4, v1.2.3.4, section 1.2.3.4, lib-1.2.3.4, 1.2.3.4-beta1a", ["1.2.3.4"]),
        ("std::a::b 12:30:45 a::b1 00:1A:2B:3C:4D:5E 1:2:3", []),
    ],
)
def test_ip(text: str, values: list[str]) -> None:
    """Addresses of some machine; not those of every machine, nor versions, times and names in programs."""
    assert finds("ip", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("born on 12 March 1980", ["12 March 1980"]),
        ("DOB: 1980-03-12; d.o.b. 3/12/80", ["1980-03-12", "3/12/80"]),
        ("geboren am 12.03.1980, Geburtsdatum: 12. März 1980", ["12.03.1980", "12. März 1980"]),
        ("née le 1er août 1975, nacido el 3 de mayo de 1990", ["1er août 1975", "3 de mayo de 1990"]),
        ("birthday March 12th, 1980", ["March 12th, 1980"]),
        ("born in Paris. The war ended on 8 May 1945", ["8 May 1945"]),
        ("The idea was born long ago; many years passed until anybody saw that it was, on 8 May 1945", []),
        ("signed on 12 March 1980, born 1980, born on 1980-03-123", []),
    ],
)
def test_date_of_birth(text: str, values: list[str]) -> None:
    """A date close behind a word of birth, as some languages write it."""
    assert finds("date_of_birth", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("key sk-proj-abc123def456ghi789jkl0.", ["sk-proj-abc123def456ghi789jkl0"]),
        ("sk-abcdefghijklmnopqrstuvwx", ["sk-abcdefghijklmnopqrstuvwx"]),
        ("AKIAIOSFODNN7EXAMPLE and MY_AKIAIOSFODNN7EXAMPLE", ["AKIAIOSFODNN7EXAMPLE"] * 2),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
            ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"],
        ),
        ("postgres://app:s3cr3t@db/main, amqp://u:p@h.", ["postgres://app:s3cr3t@db/main", "amqp://u:p@h"]),
        ('password: "hunter2!", pwd=S3cret99; DB_PASSWORD => pa55word', ["hunter2!", "S3cret99", "pa55word"]),
        ("my password is hunter22, and the password is required", ["hunter22"]),
        ('"api_key": "a8f5f167f44f4964e6c998dee827110c"', ["a8f5f167f44f4964e6c998dee827110c"]),
        ("client_secret=Zm9vYmFyYmF6cXV4MTIzNDU2", ["Zm9vYmFyYmF6cXV4MTIzNDU2"]),
        ("Authorization: Bearer abcdef0123456789abcdef", ["abcdef0123456789abcdef"]),
        ("Bearer aaaaaaaaaaaaaaaaaaaaaa1, xsk-proj-abc123def456ghi789jkl0 xAKIAIOSFODNN7EXAMPLE", []),
        (
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX7",
            ["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX7"],
        ),
        ("token: the unit of text, token = tokenizer.encode2_all, token = make_token_12(x)", []),
        ("sk-learn-is-a-great-library task-oriented-dialogue1 sk-aaaaaaaaaaaaaaaaaaaaaaa1", []),
        ("api_key: ${OPENAI_API_KEY_2}, password: %PASS1%, secret={{ my_secret_1 }}, password=xxxxxx1", []),
    ],
)
def test_secrets(text: str, values: list[str]) -> None:
    """What has a mark of its own, and what is called a secret and looks like one; not what stands for one."""
    assert finds("secrets", text) == values


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1c7\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"key:\n{KEY}\nthanks", KEY),
        (KEY.replace("\n", "\\n") + '"}', KEY.replace("\n", "\\n")),
        ("-----BEGIN PRIVATE KEY-----\nMIIEpAIB\nMIIEp\n(cut)", "-----BEGIN PRIVATE KEY-----\nMIIEpAIB\nMIIEp\n"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----!", "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ],
)
def test_private_keys(text: str, value: str) -> None:
    """From the first line to the last; without a last one, as far as it may be a key."""
    assert finds("secrets", text) == [value]


def test_a_private_key_has_a_bound() -> None:
    """What claims to be a key is not followed for ever."""
    text = "-----BEGIN PRIVATE KEY-----" + "A" * 3 * PEM_MOST_CHARS

    (value,) = finds("secrets", text)

    assert PEM_MOST_CHARS < len(value) < 2 * PEM_MOST_CHARS


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("NINO AB 12 34 56 C, BG123456C", ["AB 12 34 56 C"]),
        ("NHS number 943 476 5919, 943 476 5918, NHS 943 476 5870", ["943 476 5919", "943 476 5870"]),
        ("1 85 05 78 006 084 91, 1 85 05 78 006 084 92", ["1 85 05 78 006 084 91"]),
        ("DNI 12345678Z, NIE X1234567L, 12345678A", ["12345678Z", "X1234567L"]),
        ("Y1234567X, Z1234567R, Z1234567L", ["Y1234567X", "Z1234567R"]),
        ("RSSMRA85T10A562S, RSSMRA85T10A562T", ["RSSMRA85T10A562S"]),
        ("MRTMTT25D09F205Z RCCMNL83S18D969H", ["MRTMTT25D09F205Z", "RCCMNL83S18D969H"]),
        ("MLLSNT82P65Z404U BNZVCN32S10E573Z", ["MLLSNT82P65Z404U", "BNZVCN32S10E573Z"]),
        ("Steuer-ID: 86 095 742 719; 86095742719", ["86 095 742 719"]),
        ("BSN 111222333, bsn 111222334, bsn 000000000, bsn 123456782", ["111222333", "123456782"]),
        ("85.07.30-033.28 and 85.07.30-033.29", ["85.07.30-033.28"]),
        ("00.01.25-567.77 and 00.01.25-567.78", ["00.01.25-567.77"]),
        ("811218-9876, 19811218-9876, 811218-9877", ["811218-9876", "19811218-9876"]),
        ("811218+9876, 811218+9877, 131052+308T", ["811218+9876", "131052+308T"]),
        ("CPR 070761-4285", ["070761-4285"]),
        ("131052-308T, 131052-308U", ["131052-308T"]),
        ("01010750160, 151086 95088, 15108695089", ["01010750160", "151086 95088"]),
        ("PESEL 44051401359, pesel 92112345678, pesel 92112345679", ["44051401359", "92112345678"]),
        ("756.9217.0769.85", ["756.9217.0769.85"]),
        ("PPS 1234567T, PPS no. 1234567FA, PPS 1234567TW", ["1234567T", "1234567FA", "1234567TW"]),
        ("NIF 123456789, NIF 100000010, NIF 100000100", ["123456789", "100000010", "100000100"]),
        ("111.444.777-35, CPF 11144477735, 111.111.111-11", ["111.444.777-35", "11144477735"]),
        ("2345 6789 0124? aadhaar 234123412346", ["2345 6789 0124", "234123412346"]),
        ("PAN ABCPE1234F", ["ABCPE1234F"]),
        ("11010519491231002X, 312615198711264837", ["11010519491231002X", "312615198711264837"]),
        ("900101-1234568, 971013-1928768", ["900101-1234568", "971013-1928768"]),
        ("My Number 1234 5678 9018", ["1234 5678 9018"]),
        ("My Number 1100 0000 0000, 2000-0000-0000, my number 621498320257", ["1100 0000 0000", "621498320257"]),
        ("個人番号 2000-0000-0000", ["2000-0000-0000"]),
        ("S1234567D, T1234567J, F1234567N, S1234567A", ["S1234567D", "T1234567J", "F1234567N"]),
        ("TFN 123 456 782", ["123 456 782"]),
        ("SIN 130 692 544", ["130 692 544"]),
        ("TC Kimlik 10000000146, kimlik 17291716060", ["10000000146", "17291716060"]),
        ("CURP HEGG560427MVZRRL04", ["HEGG560427MVZRRL04"]),
        ("ID 8001015009087", ["8001015009087"]),
        ("12345678, 987.654.321-01, AB12, X-AB 12 34 56 C", []),
    ],
)
def test_national_ids(text: str, values: list[str]) -> None:
    """Numbers of many countries whose check is right; those that look like any other need their name."""
    assert finds("national_id", text) == values


def test_every_detector_has_a_trigger() -> None:
    """Clean text costs one pass, whichever of the gateway's own detectors are in use."""
    assert all(detector.trigger for detector in DETECTORS.values())
