"""Email addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from app.core.redaction.finding import Span

_LOCAL_MAX: Final = 64  # RFC 5321, 4.5.3.1.1
_DOMAIN_MAX: Final = 255
_AT: Final = re.compile(r"@|%40")
_LOCAL: Final = re.compile(r"[\w.+'~-]+")
_LABEL: Final = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{1,10}}")
_TOP_LEVEL: Final = re.compile(r"(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,24})")
_VERSION: Final = re.compile(r"\d+\.\d")  # as in react@18.2.0
_NO_PERSON: Final = frozenset({"git"})  # git@github.com is the address of repositories


class Email:
    """Finds `local@domain`, also with the sign encoded as in URLs (`%40`)."""

    name = "email"
    trigger = r"[^\s@](?:[@＠]|%40)[^\s@]"  # noqa: RUF001 - a full-width sign is meant

    def find(self, text: str) -> Iterator[Span]:
        """Yield each address."""
        for at in _AT.finditer(text):
            start = _local_start(text, at.start())
            domain = _DOMAIN.match(text, at.end(), at.end() + _DOMAIN_MAX)
            if start is None or domain is None or text[start : at.start()] in _NO_PERSON:
                continue
            if _VERSION.match(domain[0]) or not _TOP_LEVEL.fullmatch(domain[0].rpartition(".")[2]):
                continue
            yield start, domain.end()


def _local_start(text: str, at: int) -> int | None:
    """Return where the local part begins; None if there is none."""
    window = max(0, at - _LOCAL_MAX)
    start = next((found.start() for found in _LOCAL.finditer(text, window, at) if found.end() == at), at)
    local = text[start:at].lstrip(".'-")
    return at - len(local) if local and local[-1] not in ".'" else None
