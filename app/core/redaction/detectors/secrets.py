"""Secrets: API keys, tokens, private keys, URLs with passwords, and values assigned to names of secrets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.redaction.finding import Match, Patterns, Span, is_word


class Shape(msgspec.Struct, frozen=True):
    """
    Secrets with a known prefix.

    `head` (the prefix) and `tail` are patterns in RE2's syntax. `random`: the whole must look random, because ordinary
    words may have the same prefix.
    """

    head: str
    tail: str
    random: bool = False


_WORD: Final = "[A-Za-z0-9]"
_WEB: Final = "[A-Za-z0-9_-]"

# Sources: the providers' own documentation of their keys, and the rules of gitleaks.
SHAPES: Final = (
    Shape("sk-(?:ant-|proj-|or-v1-|svcacct-|admin-|lf-|None-)?", _WEB + "{16,}", random=True),  # OpenAI, Anthropic, …
    Shape("(?:gsk|xai|csk|tgp_v1|fw|fc|tvly|ctx7sk|wz|wzd|wizard)[_-]", _WEB + "{20,}", random=True),  # Groq, xAI, …
    Shape("(?:pplx|nvapi|r8|voyage|jina|pa|apify_api|lsv2_[a-z]{2})[_-]", _WEB + "{28,}", random=True),  # Perplexity, …
    Shape("hf_", _WORD + "{30,}"),  # Hugging Face
    Shape("AIza", _WEB + "{35}"),  # Google
    Shape("GOCSPX-", _WEB + "{20,}"),
    Shape("ya29\\.", _WEB + "{20,}"),
    Shape("A(?:KIA|SIA|BIA|CCA)", "[A-Z0-9]{16}"),  # AWS
    Shape("gh[pousr]_", _WORD + "{30,}"),  # GitHub
    Shape("github_pat_", "[A-Za-z0-9_]{40,}"),
    Shape("glpat-|gldt-|glrt-|glcbt-|glptt-", _WEB + "{20,}"),  # GitLab
    Shape("xox[abeoprs]-|xapp-", "[A-Za-z0-9-]{10,}", random=True),  # Slack
    Shape("https://hooks\\.slack\\.com/(?:services|workflows)/", "[A-Za-z0-9+/]{20,}"),
    Shape("SG\\.", _WEB + "{16,}\\." + _WEB + "{16,}"),  # SendGrid
    Shape("(?:sk|rk|pk)_(?:live|test)_", _WORD + "{16,}"),  # Stripe
    Shape("whsec_", "[A-Za-z0-9+/]{24,}"),
    Shape("sq0(?:csp|atp|idp)-", _WEB + "{22,}"),  # Square
    Shape("npm_", _WORD + "{36}"),
    Shape("pypi-", _WEB + "{50,}"),
    Shape("d(?:op|oo|or)_v1_", "[a-f0-9]{64}"),  # DigitalOcean
    Shape("shp(?:at|ca|pa|ss)_", "[a-fA-F0-9]{32}"),  # Shopify
    Shape("lin_api_|figd_|ntn_|secret_|dckr_pat_|phc_|phx_|sntrys_|sbp_|PMAK-|atlasv1\\.", _WEB + "{24,}", random=True),
    Shape("glsa_|glc_|hvs\\.|hvb\\.|pul-|rubygems_|dapi|EAAC|AGE-SECRET-KEY-1", _WEB + "{24,}", random=True),
    Shape("key-|SK|AC", "[0-9a-f]{32}"),  # Mailgun, Twilio
    Shape("eyJ", _WEB + "{8,}\\.eyJ" + _WEB + "{8,}\\." + _WEB + "*"),  # JSON web tokens
)

# Names of secrets without a known prefix, which are found where a value is assigned to the name.
WORDS_FOR_PASSWORDS: Final = "pass(?:word|wd|phrase|code)|passw|pwd|passwort|kennwort|contraseña|mot de passe"
WORDS_FOR_KEYS: Final = (
    "api[ _-]?(?:key|token|secret)|apikey|(?:access|account|auth|client|encryption|private|secret|shared|signing"
    "|subscription|webhook)[ _-]?(?:access[ _-]?)?(?:key|token|secret)|secret|credentials?|token|SharedAccessSignature"
)


PEM_BEGIN: Final = "-----BEGIN"
PEM_END: Final = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
PEM_MOST_CHARS: Final = 16_384  # ten times the longest key in use

_LEAST_BITS: Final = 2.8  # of entropy per character; words have less, 16 random hexadecimal digits about 3.2
_LEAST_RUN: Final = re.compile(r"[A-Za-z0-9]{20}")  # no word of a language that hyphenates is as long
_PASSWORD_SIGNS: Final = re.compile(r"[\d!@#$%^&*+~?]")
_DOTTED_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_NO_SECRET: Final = re.compile(r"\$|%[A-Za-z_(]|\{|x{4,}|\*{3,}|\.{3,}|your[_-]|https?://", re.IGNORECASE)
_TRAILING, _QUOTES = ".,;:!?)", ('"', "'", "`")

_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/=\s\\:,]*+")
_ADDRESS: Final = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s:@/?#\"'<>]*:[^\s@/?#\"'<>]+@[^\s\"'<>`]+"
_ASSIGN: Final = r"[\"'`]?\]?(?:\s{0,2}(?::=|=>|[:=])|\s(?:is|ist|es|est|to)\b:?)\s{0,2}[\"'`]?"
_VALUE: Final = r"([^\s\"'`<>(){}\[\],;\\|]{%d}[^\s\"'`<>(){}\[\],;\\|]*)"
_BEARER: Final = r"(?i)\b(?:bearer|basic)\s{1,2}([A-Za-z0-9._~+/-]{16}[A-Za-z0-9._~+/-]*={0,2})"


class Secrets:
    """Finds secrets that grant access."""

    name = "secrets"

    def __init__(self, patterns: Patterns) -> None:
        self._pem = patterns.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
        self._address = patterns.compile(_ADDRESS)
        self._sure = patterns.compile(_marked(random=False))
        self._random = patterns.compile(_marked(random=True))
        self._password = patterns.compile(f"(?i)(?:{WORDS_FOR_PASSWORDS}){_ASSIGN}{_VALUE % 6}")
        self._key = patterns.compile(f"(?i)(?:{WORDS_FOR_KEYS}){_ASSIGN}{_VALUE % 12}")
        self._bearer = patterns.compile(_BEARER)

    @property
    def trigger(self) -> str:
        """Return a pattern for all prefixes, and for assignments to all names of secrets."""
        gap = r"(?:\s|\\[nrt]){0,2}"
        assign = rf"[\\\"'`\]]{{0,4}}(?:{gap}(?::=|=>|[:=])|\s(?:is|ist|es|est|to):?){gap}[\\\"'`]{{0,3}}"
        return "|".join(
            (
                *map(_shape_trigger, SHAPES),
                r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY",
                r":\\?/\\?/[^\s@\"'<>]*:[^\s@\"'<>]+@",
                rf"(?i:{WORDS_FOR_PASSWORDS}){assign}[^\s\"'`<>(){{}}\[\],;|]{{6}}",
                rf"(?i:{WORDS_FOR_KEYS}){assign}[^\s\"'`<>(){{}}\[\],;|]{{12}}",
                r"(?i:bearer|basic)(?:\s|\\[nrt]){1,2}[A-Za-z0-9._~+/\\-]{16}",
            )
        )

    def find(self, text: str) -> Iterator[Span]:
        """Yield each secret; of an assignment, only the value."""
        for begin in self._pem.finditer(text):
            yield begin.span()[0], _pem_end(text, begin.span()[1])
        for found in self._address.finditer(text):
            yield found.span()[0], found.span()[0] + len(found[0].rstrip(_TRAILING))
        for found in self._sure.finditer(text):
            if _begins(text, found):
                yield found.span()
        for found in self._random.finditer(text):
            if _begins(text, found) and _is_random(found[0]):
                yield found.span()
        yield from self._named(text)

    def _named(self, text: str) -> Iterator[Span]:
        """Yield values that follow a name of secrets and look like one."""
        for found in self._password.finditer(text):
            value, span = _value(text, found)
            if _PASSWORD_SIGNS.search(value) and not _NO_SECRET.match(value):
                yield span
        for found in self._key.finditer(text):
            value, span = _value(text, found)
            is_code = text[span[1] : span[1] + 1] == "(" or _DOTTED_NAME.fullmatch(value)
            if _is_random(value) and not is_code and not _NO_SECRET.match(value):
                yield span
        for found in self._bearer.finditer(text):
            if _is_random(found[1]):
                yield found.span(1)


def _marked(*, random: bool) -> str:
    return "|".join(f"(?:{shape.head})(?:{shape.tail})" for shape in SHAPES if shape.random == random)


def _shape_trigger(shape: Shape) -> str:
    head = shape.head.replace("/", r"\\?/")  # JSON may spell a slash with a backslash
    return f"(?:{head})" if "/" in shape.tail else f"(?:{head})(?:{shape.tail})"


def _begins(text: str, found: Match) -> bool:
    """Return whether a match begins at the beginning of a word, or after an underscore."""
    start = found.span()[0]
    return not is_word(text[start - 1 : start]) or text[start - 1] == "_"


def _value(text: str, found: Match) -> tuple[str, Span]:
    """Return the value of a match, without trailing punctuation unless it is in quotation marks."""
    start, end = found.span(1)
    value = found[1] if text[end : end + 1] in _QUOTES else found[1].rstrip(_TRAILING)
    return value, (start, start + len(value))


def _pem_end(text: str, position: int) -> int:
    """Return the end of a key in PEM: after its last line, or before the first character that cannot belong to it."""
    limit = position + PEM_MOST_CHARS
    end = PEM_END.search(text, position, limit)
    body = _PEM_BODY.match(text, position, limit)
    return end.end() if end else body.end() if body else position


def _is_random(text: str) -> bool:
    """Return whether a text looks random, by its digits or length and its entropy."""
    return (any(map(str.isdigit, text)) or _LEAST_RUN.search(text) is not None) and _bits(text) >= _LEAST_BITS


def _bits(text: str) -> float:
    """Return the entropy of a text in bits per character (C. Shannon, 1948)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
