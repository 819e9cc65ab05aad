"""
A labelled corpus: sentences with things that must be found, and sentences that only look as if they had any.

Made by rules of its own from a seed, so it is the same in every run. Check digits are computed here anew, not by the
code under test.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SEED = 20261126
PER_KIND = 48


@dataclass(frozen=True)
class Sample:
    """A sentence, and the one thing in it with its detector (empty: nothing)."""

    text: str
    detector: str = ""
    value: str = ""


Make = Callable[[random.Random], str]

SENTENCES = (
    "Please use {} from now on.",
    "The customer wrote: {}",
    "{} is what the form says, nothing else.",
    "We have on file {}, added by the night shift; please confirm.",
    "(see {})",
    '{{"note": "kept {} for the record", "ok": true}}',
    "old value -> {}\nnew value -> unknown",
    "Was ist mit {}? Bitte prüfen.",
    "请核对 {} 这一项",
)
NAMED = {
    "phone": ("Call {} after lunch.", "Phone: {}", "my number is {}, thanks", "Tel. {} (office)", "Fax {} still works"),
    "date_of_birth": (
        "She was born on {}.",
        "DOB: {}",
        "Date of birth {}",
        "Geburtsdatum: {}",
        "né le {} à Lyon",
        "birthday {} noted",
    ),
    "secrets": ("export KEY={}", "use {} to log in", "curl -H 'x: {}'", "{}", "config:\n  value: {}\n"),
}


def samples() -> Iterator[Sample]:
    """Yield the whole corpus."""
    chance = random.Random(SEED)  # noqa: S311 - no secret is drawn
    for detector, makers in MAKERS.items():
        sentences = NAMED.get(detector, SENTENCES)
        for number in range(PER_KIND):
            value = makers[number % len(makers)](chance)
            yield Sample(sentences[number % len(sentences)].format(value), detector, value)
    yield from (Sample(text) for text in NEGATIVES)


# --- values ----------------------------------------------------------------------------------------------------------


def digits(chance: random.Random, count: int) -> str:
    """Draw digits."""
    return "".join(chance.choices(string.digits, k=count))


def letters(chance: random.Random, count: int, among: str = string.ascii_lowercase) -> str:
    """Draw letters."""
    return "".join(chance.choices(among, k=count))


def _email(chance: random.Random) -> str:
    local = chance.choice(("{a}.{b}", "{a}", "{a}+{b}", "{a}_{n}", "{a}-{b}{n}")).format(
        a=letters(chance, 5).title(), b=letters(chance, 6), n=digits(chance, 2)
    )
    domain = chance.choice(
        ("example.com", "mail.example.co.uk", "acme-corp.io", "uni-köln.de", "sub.dept.example.museum")
    )
    return f"{local}@{domain}"


def luhn_digit(number: str) -> str:
    """Return the Luhn digit that belongs behind a number."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += sum(map(int, str(doubled)))
    return str(-total % 10)


def _card(chance: random.Random) -> str:
    head, length, groups = chance.choice(
        (
            ("4", 16, (4, 4, 4, 4)),
            ("51", 16, (4, 4, 4, 4)),
            ("2221", 16, (4, 4, 4, 4)),
            ("37", 15, (4, 6, 5)),
            ("6011", 16, (4, 4, 4, 4)),
            ("3530", 16, (4, 4, 4, 4)),
            ("36", 14, (4, 6, 4)),
            ("62", 16, (4, 4, 4, 4)),
        )
    )
    number = head + digits(chance, length - len(head) - 1)
    number += luhn_digit(number)
    return grouped(number, groups, chance.choice(("", " ", "-")))


def grouped(text: str, sizes: tuple[int, ...], separator: str) -> str:
    """Return a text in groups of these sizes."""
    groups, position = [], 0
    for size in sizes:
        groups.append(text[position : position + size])
        position += size
    return separator.join(groups)


def _iban(chance: random.Random) -> str:
    country, bank, count = chance.choice(
        (
            ("DE", "", 18),
            ("GB", "WEST", 14),
            ("FR", "", 23),
            ("NL", "ABNA", 10),
            ("CH", "", 17),
            ("ES", "", 20),
            ("NO", "", 11),
        )
    )
    account = bank + digits(chance, count)
    rearranged = "".join(str(int(char, 36)) for char in f"{account}{country}00")
    number = f"{country}{98 - int(rearranged) % 97:02d}{account}"
    parts = [number[start : start + 4] for start in range(0, len(number), 4)]
    return chance.choice((number, " ".join(parts)))


def _ssn(chance: random.Random) -> str:
    area, group, serial = chance.choice((123, 219, 457, 612, 899)), chance.randint(1, 99), chance.randint(1, 9999)
    return chance.choice(("-", " ")).join((f"{area}", f"{group:02d}", f"{serial:04d}"))


def _v4(chance: random.Random) -> str:
    return ".".join(str(chance.randint(1, 254)) for _ in range(4))


def _v6(chance: random.Random) -> str:
    groups = [f"{chance.randint(1, 0xFFFF):x}" for _ in range(8)]
    groups[0] = "2001"
    return chance.choice(
        (":".join(groups), f"{groups[0]}:{groups[1]}:{groups[2]}::{groups[3]}", f"fe80::{':'.join(groups[1:4])}")
    )


def _north_american(chance: random.Random) -> str:
    area, exchange, line = f"{chance.choice((212, 415, 555, 720))}", digits(chance, 3), digits(chance, 4)
    shape = chance.choice(("({}) {}-{}", "{}-{}-{}", "+1 {} {} {}", "{}.{}.{}", "+1-{}-{}-{}", "1-{}-{}-{}"))
    return shape.format(area, exchange, line)


def _international(chance: random.Random) -> str:
    return chance.choice(
        (
            f"+44 20 7946 {digits(chance, 4)}",
            f"+49 30 90{digits(chance, 4)}",
            f"+33 6 {digits(chance, 2)} 34 56 78",
            f"+91 98{digits(chance, 3)} {digits(chance, 5)}",
            f"+4917{chance.randint(0, 9)}{digits(chance, 7)}",
            f"+81 3-{chance.randint(3000, 6999)}-{digits(chance, 4)}",
            f"+61 4{digits(chance, 2)} {digits(chance, 3)} {digits(chance, 3)}",
        )
    )


_ALNUM = string.ascii_letters + string.digits


def _secret(chance: random.Random) -> str:
    def drawn(count: int, among: str = _ALNUM) -> str:
        return "".join(chance.choices(among, k=count - 1)) + "7"

    return chance.choice(
        (
            f"sk-{drawn(48)}",
            f"sk-proj-{drawn(64)}",
            f"sk-ant-api03-{drawn(60)}",
            f"AKIA{drawn(16, string.ascii_uppercase + string.digits)}",
            f"ghp_{drawn(36)}",
            f"glpat-{drawn(20)}",
            f"AIza{drawn(35)}",
            f"xoxb-{digits(chance, 11)}-{drawn(24)}",
            f"hf_{drawn(34)}",
            f"SG.{drawn(22)}.{drawn(43)}",
            f"sk_live_{drawn(24)}",
            f"npm_{drawn(36)}",
            f"gsk_{drawn(52)}",
            f"eyJhbGciOiJIUzI1NiJ9.eyJ{drawn(40)}.{drawn(43)}",
            f"postgres://app:{drawn(12)}@db.internal:5432/main",
            f"mongodb+srv://root:{drawn(10)}@cluster0.example.net/x",
            f"-----BEGIN RSA PRIVATE KEY-----\n{drawn(64)}\n{drawn(64)}\n-----END RSA PRIVATE KEY-----",
        )
    )


def _born(chance: random.Random) -> str:
    year, month, day = chance.randint(1930, 2015), chance.randint(1, 12), chance.randint(1, 28)
    name = (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )[month - 1]
    return chance.choice(
        (
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"{month}/{day}/{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
        )
    )


def _nir(chance: random.Random) -> str:
    born = f"{chance.choice('12')}{digits(chance, 2)}{chance.randint(1, 12):02d}"
    body = f"{born}{chance.randint(10, 95):02d}{digits(chance, 6)}"
    return grouped(f"{body}{97 - int(body) % 97:02d}", (1, 2, 2, 2, 3, 3, 2), " ")


def _dni(chance: random.Random) -> str:
    number = chance.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _nino(chance: random.Random) -> str:
    return grouped(
        f"{chance.choice(('AB', 'JG', 'PX'))}{digits(chance, 6)}{chance.choice('ABCD')}",
        (2, 2, 2, 2, 1),
        chance.choice((" ", "")),
    )


def _cpf(chance: random.Random) -> str:
    number = digits(chance, 9)
    for length in (9, 10):
        rest = sum(int(digit) * (length + 1 - place) for place, digit in enumerate(number)) % 11
        number += str(0 if rest < 2 else 11 - rest)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


def _swedish(chance: random.Random) -> str:
    body = f"{chance.randint(40, 99)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}{digits(chance, 3)}"
    return f"{body[:6]}-{body[6:]}{luhn_digit(body)}"


MAKERS: dict[str, tuple[Make, ...]] = {
    "email": (_email,),
    "credit_card": (_card,),
    "iban": (_iban,),
    "ssn": (_ssn,),
    "ip": (_v4, _v6),
    "phone": (_north_american, _international),
    "secrets": (_secret,),
    "date_of_birth": (_born,),
    "national_id": (_nir, _dni, _nino, _cpf, _swedish),
}

# --- what only looks like it ------------------------------------------------------------------------------------------

_NOTHING = r"""
The meeting is on 2024-03-15 at 10:30, room 4.
It ran from 2019 to 2024 and cost 1,250,000 dollars.
Version 1.2.3.4 replaced v10.0.19045.3996 last week.
commit 9fceb02d0ae598e95dc970b74767f19372d61af8
id 550e8400-e29b-41d4-a716-446655440000 is a UUID
Order 20240315-000123 has shipped.
Pi is 3.14159265358979.
The array is [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].
std::vector<int> v; a::b c; fe::dead
time 12:30:45.123
npm install react@18.2.0-beta.3 lodash@4.17.21
git clone git@github.com:acme/tools.git
@decorator\ndef f(): ...
Follow @wizard and @gateway on the platform.
price: 19.99 EUR, was 24.50
ISBN 978-3-16-148410-0
call me maybe, or don't call at all
The telephone was invented in 1876 by Bell.
phone numbers have digits
password must be at least 12 characters
the password is required.
password: string
token: the unit of text
max_tokens: 4096, temperature: 0.7
secret = os.environ['APP_SECRET']
api_key: ${OPENAI_API_KEY}
api_key=<your key here>
The API key is stored in a vault.
set `token` to None
Basic understanding of algebra
a bearer of good news
task-oriented and risk-averse teams
sk-learn pipelines are handy
SELECT * FROM t WHERE id = 12345678
0x1F 0xDEADBEEF 0755
rgb(12, 34, 56) #a1b2c3
MAC 00:1A:2B:3C:4D:5E
127.0.0.1 and ::1 and 0.0.0.0
netmask 255.255.255.0
ratio 16:9, score 3:2:1
DE is Germany, FR is France
DE12 is too short to be one
GB00 0000 0000 0000 0000 00
1234 5678 9012 3456
4111 1111 1111 1112
0000 0000 0000 0000
tracking 1Z999AA10123456784
000-12-3456
666-12-3456
123-00-4567
912-34-5678
12-3456789
the year 1984 and the book 1984
She was born in Paris and moved in 2001.
The idea was born long ago.
Apollo 11 landed on July 20, 1969.
released 12/25/2023
chapter 3.2.1.4, section 5.6
https://example.com/a/b?c=1&d=2
https://user@example.com/
mailto: is a scheme
a@b
foo@bar
@
x @ y
5 @ 3 dollars
user@localhost
C:\Users\anna\file_20240315.txt
Lat 48.8566, Long 2.3522
10^12 = 1000000000000
1e10, 1.5e-7
12345678901234567890
zip 94107-1234
flight LH 4321 at gate B22
The ticket costs 555 dollars, 123 more than planned.
a1b2c3d4e5f6
base64 of nothing is AAAAAAAA
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
The model has 7000000000 parameters and 32 layers.
seed=1234567890 steps=1000
Tabelle 4: 12 34 56 78
第 12 章 共 345 页
for i in range(1000000): pass
{'a': 1, 'b': [2, 3], 'c': {'d': 4}}
| 2021 | 2022 | 2023 |\n| 1.5 | 2.5 | 3.5 |
We sold 1200 units in Q1, 1350 in Q2, 1410 in Q3 and 1600 in Q4.
Room 101, floor 3, building 12, 4th street
10.5.3 is a version and 10.5 is a number
ETA 2025-01-31T23:59:59Z
+5 points, -3 points
(1) first (2) second (3) third
x = 1.0.0.0.1
1.1.1
127.0.0.1:8080
the keys are on the table
This is the key: patience.
keyboard: qwerty layout
PRIVATE KEY is a label
-----BEGIN CERTIFICATE-----
http://localhost:3000/login?next=/home
ftp://ftp.example.org/pub
AB123 is a seat
QQ 12 34 56 C
12345678A
987.654.321-01
Nr. 850101-1234
"""

NEGATIVES = tuple(line.replace("\\n", "\n") for line in _NOTHING.strip().splitlines())
