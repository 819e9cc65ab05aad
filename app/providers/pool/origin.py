"""Splits a URL into the origin that owns connections, and what requests say about it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

from app.core.errors import TARGET_MISCONFIGURED, GatewayError

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f]")
_KEPT: Final = "/?:@!$&'()*+,;=-._~%[]"  # of a path and query: what RFC 3986 allows there, and what is escaped already
_PORTS: Final = (("http", 80), ("https", 443))


class Origin(msgspec.Struct, frozen=True):
    """The far end of a connection: a host and port, or a unix socket (then `socket_path` is set and nothing else)."""

    host: str = ""
    port: int = 0
    secure: bool = False
    socket_path: str | None = None


class Address(msgspec.Struct, frozen=True):
    """A parsed URL: origin, value of the `host` header, and request target."""

    origin: Origin
    authority: str
    target: str


def locate(url: str) -> Address:
    """
    Parse `url`.

    The schemes are `http`, `https` and `http+unix`, whose host is the percent-encoded path of a socket, as in
    `http+unix://%2Frun%2Fmodel.sock/v1/models`. A fragment is not sent.

    Raises:
        GatewayError: TARGET_MISCONFIGURED if it is no such URL, or carries a user name or a password.
    """
    if _FORBIDDEN.search(url):
        raise _refusal("has spaces or control characters in it")
    try:
        parts = urlsplit(url)
        port = parts.port if parts.scheme != "http+unix" else None
    except ValueError as error:
        raise _refusal("is not well-formed") from error
    if "@" in parts.netloc:
        raise _refusal("carries a user name; credentials belong into headers")
    if not parts.netloc or not parts.hostname:
        raise _refusal("names no host")
    target = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    if parts.scheme == "http+unix":
        return Address(Origin(socket_path=unquote(parts.netloc)), "localhost", target)
    return _on_network(parts, port, target)


def _on_network(parts: SplitResult, port: int | None, target: str) -> Address:
    usual = dict(_PORTS).get(parts.scheme)
    if usual is None:
        raise _refusal("has a scheme other than http, https and http+unix")
    host = _ascii(parts.hostname or "")
    port = port or usual
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == usual else f"{shown}:{port}"
    return Address(Origin(host, port, parts.scheme == "https"), authority, target)


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _refusal("names a host that DNS cannot hold") from error


def _refusal(what: str) -> GatewayError:
    return GatewayError(TARGET_MISCONFIGURED, f"The provider's URL {what}.")
