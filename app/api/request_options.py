"""Read the options of one request: `x-wizard-*` headers, `cache-control`, and the headers of OpenAI's SDKs."""

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
CACHE_TTL_MAX_S = 365 * 86_400  # the same as for the setting
_DIGITS_MAX = 9  # checked before the number is parsed
_INT_MAX = 10**_DIGITS_MAX - 1
_TAGS_MAX = 16
_SESSION_MAX_CHARS, _IDEMPOTENCY_KEY_MAX_CHARS = 256, 255
_VISIBLE = re.compile(rb"[\x21-\x7e]+")
_VALID_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]{0,63}")
# SDKs send whatever their caller passed: "600", "0.5", "NOT_GIVEN", "None". Five digits are more than a day.
_SDK_SECONDS = re.compile(rb"\d{1,5}(?:\.\d{1,9})?")
_RATIO = re.compile(rb"0(?:\.\d{1,9})?|1(?:\.0{1,9})?")
_DIRECTIVE = re.compile(r"\s*(no-cache|no-store|only-if-cached|max-age)\s*(?:=\s*\"?(\d{1,9})\"?\s*)?")
_PRIORITIES = MappingProxyType({priority.word.encode(): priority for priority in Priority})


class RequestOptions(msgspec.Struct, frozen=True):
    """The options of one request: its time limit, and what the stages read."""

    timeout_s: float | None = None
    options: CallOptions = CallOptions()


NOTHING_ASKED = RequestOptions()
_OPTION_HEADERS = frozenset(
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
    Return the options that the headers set.

    Raises:
        GatewayError: INVALID_REQUEST with `param` naming the header.
    """
    if _OPTION_HEADERS.isdisjoint(headers) and not _is_sdk_retry(headers):
        return NOTHING_ASKED  # the common case
    timeout_ms = _whole(headers, "x-wizard-timeout-ms", 1, _INT_MAX)  # can only lower the configured one
    retries = _whole(headers, "x-wizard-retries", 0, RETRIES_MAX)
    options = CallOptions(
        retry=not _is_sdk_retry(headers),  # only one layer should retry, and the SDK already does
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
    """Combine the options of the headers (`one`) and of the body (`other`); the stricter of two values wins."""
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
    Return the seconds after which the caller's SDK gives up on a whole answer, as its header says; None if unknown.

    For a stream the same header bounds only the silence between two chunks, not the total.
    """
    header = headers.get(b"x-stainless-read-timeout")
    if header is None:
        return None
    seconds = float(header) if _SDK_SECONDS.fullmatch(header) else 0.0
    return seconds if seconds > 0 else None


def _least(one: N | None, other: N | None) -> N | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _switch(headers: Headers, name: str) -> bool:
    value = headers.get(name.encode(), b"on").lower()
    if value not in {b"on", b"off"}:
        raise _invalid(name, "'on' or 'off'")
    return value == b"on"


def _text(headers: Headers, name: str, max_chars: int) -> str | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if len(value) > max_chars or not _VISIBLE.fullmatch(value):
        raise _invalid(name, f"1 to {max_chars} printable ASCII characters without spaces")
    return value.decode()


def _directives(headers: Headers) -> Mapping[str, int | None]:
    """Parse `cache-control`; unknown directives are ignored, as RFC 9111 requires."""
    value = headers.get(b"cache-control")
    if value is None:
        return NO_DIRECTIVES
    directives: dict[str, int | None] = {}
    for word in value.decode("latin-1").lower().split(","):
        match = _DIRECTIVE.fullmatch(word)
        if match is not None and (match[1] == "max-age") == (match[2] is not None):
            directives[match[1]] = None if match[2] is None else int(match[2])
    return MappingProxyType(directives)


def _tags(headers: Headers) -> tuple[str, ...]:
    value = headers.get(b"x-wizard-tags")
    if value is None:
        return ()
    tags = [tag.strip() for tag in value.decode("latin-1").split(",")]
    if len(tags) > _TAGS_MAX or not all(_VALID_TAG.fullmatch(tag) for tag in tags):
        must = f"at most {_TAGS_MAX} words of letters, digits and ._:/=-, joined by commas"
        raise _invalid("x-wizard-tags", must)
    return tuple(tags)


def _priority(headers: Headers) -> Priority | None:
    value = headers.get(b"x-wizard-priority")
    if value is None:
        return None
    priority = _PRIORITIES.get(value.lower())
    if priority is None:
        raise _invalid("x-wizard-priority", "'high', 'normal' or 'low'")
    return priority


def _is_sdk_retry(headers: Headers) -> bool:
    count = headers.get(b"x-stainless-retry-count", b"0")
    return count != b"0" and count.isdigit() and len(count) <= _DIGITS_MAX and int(count) > 0


def _ratio(headers: Headers, name: str) -> float | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if not _RATIO.fullmatch(value):
        raise _invalid(name, "a number from 0 to 1")
    return float(value)


def _whole(headers: Headers, name: str, least: int, most: int) -> int | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if not (value.isdigit() and len(value) <= _DIGITS_MAX and least <= int(value) <= most):
        raise _invalid(name, f"a whole number from {least} to {most}")
    return int(value)


def _invalid(name: str, must: str) -> GatewayError:
    return GatewayError(INVALID_REQUEST, f"{name!r} must be {must}.", param=name)
