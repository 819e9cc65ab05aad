"""Format the values and locations in configuration problems, without ever showing a secret.

When in doubt a value is masked: only short, public words and numbers are shown.
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

# Endings of the names of secret settings (`api_key`, `token`); `first_token_s` and `api_key_file` do not match.
_SECRET_NAME: Final = re.compile(
    r"(^|_)(key|keys|token|secret|secrets|hash|password|pepper|webhook_url)$", re.IGNORECASE
)
_WITHOUT_REDIS: Final = ("redis", "fail", "keys")  # a policy for keys, not a key
# Longer texts are cut, because a misplaced key is long: the shortest in use has 32 characters (Mistral).
_SHOWN_CHARS: Final = 31
_MAX_BITS: Final = 64
_KINDS: Final = ((str, "a text"), (int, "a number"), (float, "a number"), (Mapping, "a mapping"), (date, "a date"))
_PLAIN_KEY: Final = re.compile(r"[\w ./-]{1,80}")


def dotted(loc: Loc) -> str:
    """Format a location: `models.fast.targets[0].provider`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shown_key(part)}" if text else shown_key(part)
    return text


def shown_key(key: str) -> str:
    """Return a key up to its first unusual character: in `{api_key:sk-…}`, without a space, the key has the secret."""
    plain = _PLAIN_KEY.match(key)
    start = plain.group() if plain else ""
    return start if start == key else f"{start}…"


def is_secret(loc: Loc) -> bool:
    """Return whether the value at `loc` may be a secret, by its name; headers always may."""
    names = [part for part in loc if isinstance(part, str)]
    return "headers" in names or bool(names and loc != _WITHOUT_REDIS and _SECRET_NAME.search(names[-1]))


def shown(loc: Loc, value: object) -> str:
    """Format the value at `loc`, masked if it may be a secret."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return kind_of(value)
    if is_secret(loc):
        return HIDDEN
    return _shown_text(value) if isinstance(value, str) else _shown_number(value)


def kind_of(value: object) -> str:
    """Return the kind of `value` without its content; true, false and null are shown as they are."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | frozenset):
        return f"(a list of {len(value)})"
    return next((f"({name})" for kind, name in _KINDS if isinstance(value, kind)), HIDDEN)


def _shown_number(value: float) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:  # Python refuses to format very long numbers
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
    """Return a question with the known word closest to `word`; None if none is close."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1)
    return f"did you mean {shown_key(names[close[0]])}?" if close else None
