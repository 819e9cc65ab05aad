"""Encodes and validates the head of a request."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.pool.origin import Address

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # section 5.5: no CR, LF or NUL, nor any other control
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})


class Head(msgspec.Struct, frozen=True):
    """
    The head of a request, without `content-length` and the empty line.

    `asks_for_head`: the answer has no body. `may_lack_body`: an empty body needs no `content-length`.
    """

    lines: bytes
    asks_for_head: bool
    may_lack_body: bool


def encode_head(method: str, address: Address, headers: tuple[tuple[str, str], ...]) -> Head:
    """
    Return the head for these headers.

    `host` is added unless it is among `headers`.

    Raises:
        GatewayError: INVALID_REQUEST for a method, name or value with forbidden characters (a line break in a value
            would inject a header or a request), and for headers that frame the body. The message never contains
            values: they may be secrets.
    """
    if not _TOKEN.fullmatch(method):
        raise GatewayError(INVALID_REQUEST, f"{method!r} is no HTTP method.")
    lines = [f"{method} {address.target} HTTP/1.1"]
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        lines.append(f"host: {address.authority}")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise GatewayError(INVALID_REQUEST, f"The header {name!r} cannot be sent: it has characters HTTP forbids.")
        lines.append(f"{name}: {value}")
    if names & _FRAMING:
        raise GatewayError(INVALID_REQUEST, "The length of a request is not for headers to say.")
    return Head("\r\n".join([*lines, ""]).encode("latin-1"), method == "HEAD", method in {"GET", "HEAD"})
