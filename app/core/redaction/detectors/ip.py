"""IP addresses, version 4 and 6."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from app.core.redaction.finding import DIGIT, Patterns, Span, stands_alone

_VERSION: Final = re.compile(r"(?:version|release|build|chapter|section|ver\.?|\bv)[ :=]{0,3}v?$", re.IGNORECASE)
_VERSION_CHARS: Final = 12
_LEAST_GROUPS: Final = 3  # a::b is more often a name in source code


class Ip:
    """Finds addresses of hosts; not those that are the same on every host, nor netmasks and version numbers."""

    name = "ip"
    trigger = rf"{DIGIT}\.{DIGIT}{{1,3}}\.{DIGIT}{{1,3}}\.{DIGIT}|[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f]{{0,4}}:[0-9A-Fa-f]"

    def __init__(self, patterns: Patterns) -> None:
        self._v4 = patterns.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3,}")  # four, or it is something else
        self._v6 = patterns.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*")

    def find(self, text: str) -> Iterator[Span]:
        """Yield each address."""
        for found in self._v4.finditer(text):
            start, end = found.span()
            before = text[max(0, start - _VERSION_CHARS) : start]
            inside = not stands_alone(text, (start, end)) or before.endswith((".", "-"))
            if not inside and not _VERSION.search(before) and _is_v4(found[0]):
                yield start, end
        for found in self._v6.finditer(text):
            start, written = found.span()[0], found[0].rstrip(".:") if not found[0].endswith("::") else found[0]
            if stands_alone(text, found.span()) and _is_v6(written):
                yield start, start + len(written)


def _is_v4(written: str) -> bool:
    try:
        address = IPv4Address(written)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or written.startswith("255."))


def _is_v6(written: str) -> bool:
    groups = [group for group in written.split(":") if group]
    if not any(char.isdigit() for char in written) or (len(groups) < _LEAST_GROUPS and "." not in written):
        return False
    try:
        address = IPv6Address(written)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
