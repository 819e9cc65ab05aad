"""
Addresses that callers write and the gateway asks a provider for: what may be in them, and what they say. Pure.

The host is always the operator's. What is refused here could mean another place to somebody on the way than it means to
us: steps upwards, empty steps, backslashes, controls, and escapes of escapes of any of these.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError

_PATH_MAX, _QUERY_MAX, _UNQUOTED_MAX = 2048, 4096, 3
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)+/?")
_QUERY = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9A-Fa-f]{2})*")
_UNSAFE = re.compile(rb"[\x00-\x1f\x7f\\]")
_STEPS = frozenset({b".", b"..", b""})
_IN_PATH = re.compile(r"/(?:models?|deployments)/([^/:?]+)")
# What providers take keys by in an address. A caller's own must not get there, and could be taken for the gateway's.
CREDENTIALS: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token", "auth"})


class _Named(msgspec.Struct, frozen=True):
    model: str = ""
    stream: bool | None = None


def checked(path: str, query: str) -> str:
    """
    Return a path that begins with a slash, and a query, as one address without credentials.

    Raises:
        GatewayError: INVALID_REQUEST if it might lead elsewhere.
    """
    if len(path) > _PATH_MAX or not _PATH.fullmatch(path) or not _stays(path):
        raise GatewayError(
            INVALID_REQUEST, "The path may hold no empty, '.' or '..' steps, and nothing unprintable.", param="path"
        )
    if len(query) > _QUERY_MAX or not _QUERY.fullmatch(query):
        raise GatewayError(
            INVALID_REQUEST, "The query is too long, or holds characters that an address may not have.", param="query"
        )
    kept = without(query, CREDENTIALS)
    return f"{path}?{kept}" if kept else path


def without(query: str, names: frozenset[str]) -> str:
    """Return a query without the parameters of these lower-case names, however they are escaped."""
    kept = [part for part in query.split("&") if part and _name(part) not in names]
    return "&".join(kept)


def behind(base_path: str, path: str) -> str:
    """Return what of `path` goes behind a base: clients that were given its host alone repeat its path."""
    base = base_path.rstrip("/")
    return path.removeprefix(base) if base and path.startswith(f"{base}/") else path


def path_step(model: str) -> str:
    """
    Return `model` escaped so that it stays one step of a path.

    Raises:
        GatewayError: INVALID_REQUEST for a name that would lead elsewhere.
    """
    if model in {".", ".."}:  # which whoever is on the way may follow, escaped or not
        raise GatewayError(INVALID_REQUEST, f"There is no model with the name {model!r}.", param="model")
    return quote(model, safe="")


def asked_in(path: str, body: bytes) -> tuple[str, bool]:
    """Return the model that a JSON body names, else the address, else `*`; and whether a stream is asked for."""
    try:
        named = msgspec.json.decode(body, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        named = _Named()
    in_path = _IN_PATH.search(path)
    model = named.model or (unquote_to_bytes(in_path[1]).decode(errors="replace") if in_path else "") or "*"
    return model, bool(named.stream)


def _stays(path: str) -> bool:
    """Look at a path as whoever unquotes it once or several times would see it."""
    seen = path.encode()
    for _ in range(_UNQUOTED_MAX):
        steps = seen.removesuffix(b"/").split(b"/")[1:]
        if _UNSAFE.search(seen) or not _STEPS.isdisjoint(steps):
            return False
        plain = unquote_to_bytes(seen)
        if plain == seen:
            return True
        seen = plain
    return False


def _name(parameter: str) -> str:
    return unquote_to_bytes(parameter.partition("=")[0].replace("+", " ")).decode(errors="replace").strip().lower()
