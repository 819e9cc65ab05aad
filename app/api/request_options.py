"""What one request asks to be done differently: its `x-wizard-*` headers, `cache-control`, and what its SDK tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from app.api.inbound import Headers
from app.core.call import NO_DIRECTIVES, CallOptions
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.traffic.admission import Priority

N = TypeVar("N", int, float)
RETRIES_MAX = 10
CACHE_TTL_MAX_S = 365 * 86_400  # as in the settings
_DIGITS_MAX = 9  # before the number is even read
_MOST = 10**_DIGITS_MAX - 1
_TAGS_MAX = 16
_SESSION_MAX_CHARS, _IDEMPOTENCY_KEY_MAX_CHARS = 256, 255
_VISIBLE = re.compile(rb"[\x21-\x7e]+")
_SANE_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]{0,63}")
# SDKs write whatever they were given: "600", "0.5", "NOT_GIVEN", "None". A day is more than any answer takes.
_SDK_SECONDS = re.compile(rb"\d{1,5}(?:\.\d{1,9})?")
_RATIO = re.compile(rb"0(?:\.\d{1,9})?|1(?:\.0{1,9})?")
_DIRECTIVE = re.compile(r"\s*(no-cache|no-store|only-if-cached|max-age)\s*(?:=\s*\"?(\d{1,9})\"?\s*)?")
_PRIORITIES = MappingProxyType({priority.word.encode(): priority for priority in Priority})


class RequestOptions(msgspec.Struct, frozen=True):
    """What one request asks for itself: how long it may take, and what the stages read."""

    timeout_s: float | None = None
    options: CallOptions = CallOptions()


NOTHING_ASKED = RequestOptions()
_ASKING = frozenset(
    (
        b"x-wizard-timeout-ms",
        b"x-wizard-retries",
        b"x-wizard-fallback",
        b"x-wizard-session",
        b"x-wizard-priority",
        b"x-wizard-cache-ttl",
        b"x-wizard-cache-similarity",
        b"cache-control",
        b"x-wizard-tags",
        b"idempotency-key",
        b"x-wizard-debug",
    )
)


def request_options_of(headers: Headers) -> RequestOptions:
    """
    Read the headers.

    Raises:
        GatewayError: INVALID_REQUEST with `param` naming the header.
    """
    if _ASKING.isdisjoint(headers) and not _is_sdk_retry(headers):
        return NOTHING_ASKED  # as nearly all requests
    timeout_ms = _whole(headers, "x-wizard-timeout-ms", 1, _MOST)  # it may only lower
    retries = _whole(headers, "x-wizard-retries", 0, RETRIES_MAX)
    options = CallOptions(
        retry=not _is_sdk_retry(headers),  # one layer retries: the SDK has begun to
        fallback=_switch(headers, "x-wizard-fallback"),
        max_attempts=None if retries is None else retries + 1,
        session=_text(headers, "x-wizard-session", _SESSION_MAX_CHARS),
        priority=_priority(headers),
        cache_ttl_s=_whole(headers, "x-wizard-cache-ttl", 0, CACHE_TTL_MAX_S),
        cache_similarity=_ratio(headers, "x-wizard-cache-similarity"),
        directives=_directives(headers),
        tags=_tags(headers),
        idempotency_key=_text(headers, "idempotency-key", _IDEMPOTENCY_KEY_MAX_CHARS),
        debug=headers.get(b"x-wizard-debug") in {b"1", b"true"},
    )
    return RequestOptions(None if timeout_ms is None else timeout_ms / 1000, options)


def merged(one: RequestOptions, other: RequestOptions) -> RequestOptions:
    """Combine what the headers and the body ask for; the narrower of two wins."""
    ours, theirs = one.options, other.options
    options = msgspec.structs.replace(
        ours,
        retry=ours.retry and theirs.retry,
        fallback=ours.fallback and theirs.fallback,
        circuit_breaker=ours.circuit_breaker and theirs.circuit_breaker,
        caching=ours.caching and theirs.caching,
        max_attempts=_least(ours.max_attempts, theirs.max_attempts),
        cache_ttl_s=_least(ours.cache_ttl_s, theirs.cache_ttl_s),
        cache_similarity=max(
            (s for s in (ours.cache_similarity, theirs.cache_similarity) if s is not None), default=None
        ),
        session=ours.session or theirs.session,
    )
    return RequestOptions(_least(one.timeout_s, other.timeout_s), options)


def sdk_patience_s(headers: Headers) -> float | None:
    """
    Return the seconds after which the caller's SDK gives up a whole answer, as it says itself; None if it does not.

    For a stream the same header bounds only the silence between two pieces, so it says nothing about the whole.
    """
    given = headers.get(b"x-stainless-read-timeout")
    if given is None:
        return None
    seconds = float(given) if _SDK_SECONDS.fullmatch(given) else 0.0
    return seconds if seconds > 0 else None


def _least(one: N | None, other: N | None) -> N | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _switch(headers: Headers, name: str) -> bool:
    given = headers.get(name.encode(), b"on").lower()
    if given not in {b"on", b"off"}:
        raise _wrong(name, "'on' or 'off'")
    return given == b"on"


def _text(headers: Headers, name: str, max_chars: int) -> str | None:
    given = headers.get(name.encode())
    if given is None:
        return None
    if len(given) > max_chars or not _VISIBLE.fullmatch(given):
        raise _wrong(name, f"1 to {max_chars} printable ASCII characters without spaces")
    return given.decode()


def _directives(headers: Headers) -> Mapping[str, int | None]:
    """Read `cache-control`; directives of a request that mean nothing here are left out, as RFC 9111 wants it."""
    given = headers.get(b"cache-control")
    if given is None:
        return NO_DIRECTIVES
    found: dict[str, int | None] = {}
    for word in given.decode("latin-1").lower().split(","):
        match = _DIRECTIVE.fullmatch(word)
        if match is not None and (match[1] == "max-age") == (match[2] is not None):
            found[match[1]] = None if match[2] is None else int(match[2])
    return MappingProxyType(found)


def _tags(headers: Headers) -> tuple[str, ...]:
    given = headers.get(b"x-wizard-tags")
    if given is None:
        return ()
    tags = [tag.strip() for tag in given.decode("latin-1").split(",")]
    if len(tags) > _TAGS_MAX or not all(_SANE_TAG.fullmatch(tag) for tag in tags):
        must = f"at most {_TAGS_MAX} words of letters, digits and ._:/=-, joined by commas"
        raise _wrong("x-wizard-tags", must)
    return tuple(tags)


def _priority(headers: Headers) -> Priority | None:
    given = headers.get(b"x-wizard-priority")
    if given is None:
        return None
    found = _PRIORITIES.get(given.lower())
    if found is None:
        raise _wrong("x-wizard-priority", "'high', 'normal' or 'low'")
    return found


def _is_sdk_retry(headers: Headers) -> bool:
    count = headers.get(b"x-stainless-retry-count", b"0")
    return count != b"0" and count.isdigit() and len(count) <= _DIGITS_MAX and int(count) > 0


def _ratio(headers: Headers, name: str) -> float | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if not _RATIO.fullmatch(value):
        raise _wrong(name, "a number from 0 to 1")
    return float(value)


def _whole(headers: Headers, name: str, least: int, most: int) -> int | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if not (value.isdigit() and len(value) <= _DIGITS_MAX and least <= int(value) <= most):
        raise _wrong(name, f"a whole number from {least} to {most}")
    return int(value)


def _wrong(name: str, must: str) -> GatewayError:
    return GatewayError(INVALID_REQUEST, f"{name!r} must be {must}.", param=name)
