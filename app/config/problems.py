"""What is wrong with a configuration, in words, and without ever showing a secret.

Masking errs on the side of silence: values are shown only where the schema knows a short, public word or number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Final

from app.config.trees import Loc

HIDDEN: Final = "(hidden)"
MISSING: Final = "(missing)"

# Words that end the name of a secret setting (`api_key`, `token`); `first_token_s` and `api_key_file` are none.
_SECRET_NAME: Final = re.compile(
    r"(^|_)(key|keys|token|secret|secrets|hash|password|pepper|webhook_url)$", re.IGNORECASE
)
_WITHOUT_REDIS: Final = ("redis", "fail", "keys")  # says what becomes of keys, and is none
# Longer texts are cut, since a key that stands in a wrong place is long: 32 is the shortest in use (Mistral).
_SHOWN_CHARS: Final = 31
_MAX_BITS: Final = 64
_KINDS: Final = ((str, "a text"), (int, "a number"), (float, "a number"), (Mapping, "a mapping"), (date, "a date"))
_PLAIN_KEY: Final = re.compile(r"[\w ./-]{1,80}")


def dotted(loc: Loc) -> str:
    """Write a location as people do: `models.fast.targets[0].provider`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shown_key(part)}" if text else shown_key(part)
    return text


def shown_key(key: str) -> str:
    """Show a key up to its first odd character: `{api_key:sk-…}` without a space makes the secret part of the key."""
    plain = _PLAIN_KEY.match(key)
    start = plain.group() if plain else ""
    return start if start == key else f"{start}…"


def is_secret(loc: Loc) -> bool:
    """Tell by its name whether the value at `loc` may be a secret; headers always may."""
    names = [part for part in loc if isinstance(part, str)]
    return "headers" in names or bool(names and loc != _WITHOUT_REDIS and _SECRET_NAME.search(names[-1]))


def shown(loc: Loc, value: object) -> str:
    """Show the value that stands at `loc`, masked where it may be a secret."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return kind_of(value)
    if is_secret(loc):
        return HIDDEN
    return _shown_text(value) if isinstance(value, str) else _shown_number(value)


def kind_of(value: object) -> str:
    """Name the kind of `value` without showing any of it; true, false and null hide nothing."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | frozenset):
        return f"(a list of {len(value)})"
    return next((f"({name})" for kind, name in _KINDS if isinstance(value, kind)), HIDDEN)


def _shown_number(value: float) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:  # Python refuses to write out very long numbers
        return kind_of(value)
    return str(int(value)) if value % 1 == 0 else repr(value)


def _shown_text(value: str) -> str:
    if "://" in value:
        return repr(_shown_url(value))
    if len(value) <= _SHOWN_CHARS or value.startswith(("/", "./", "../", "~/")):
        return repr(value[:120])
    return f"{value[:4]!r}… ({len(value)} characters)"


def _shown_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    address, *query = re.split(r"[?#]", rest, maxsplit=1)
    user, _, host = address.rpartition("@")
    return f"{scheme[:16]}://{'***@' if user else ''}{host[:80]}{'?***' if query else ''}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Ask for the known word that is closest to `word`; None when none is close."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1)
    return f"did you mean {shown_key(names[close[0]])}?" if close else None
