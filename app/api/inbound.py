"""What a request's headers say: who asks, under which id, in which form; what it asks for is `request_options.py`'s."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from secrets import token_hex
from types import MappingProxyType
from typing import Final, TypeAlias

from app.api.asgi import Scope
from app.core.errors import UNSUPPORTED_MEDIA_TYPE, GatewayError
from app.core.identity import Credential
from app.core.loop_detection import VIA, Loop
from app.core.tracing import PARENT

Headers: TypeAlias = Mapping[bytes, bytes]

_ID_BYTES, _IDS_AT_ONCE = 12, 128
_SANE_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
_BEARER = b"bearer "
_JSON = b"application/json"
_VIA = VIA.encode()
_CONTEXT: Final = ("traceparent", "tracestate")
# The only request headers that travel on to a provider. Credentials, cookies and hop-by-hop headers never do.
FORWARDED: Final[Mapping[bytes, str]] = MappingProxyType(
    {name.encode(): name for name in ("openai-beta", "anthropic-beta", "idempotency-key", *_CONTEXT)}
)


def headers_of(scope: Scope) -> Headers:
    """Return the request headers by lower-case name, not decoded as few are looked at; of repeated ones the last."""
    return dict(scope["headers"])


class RequestIds:
    """Makes request ids; asks the system for randomness once for many, because that is a system call."""

    def __init__(self) -> None:
        self._ready: list[str] = []

    def __call__(self) -> str:
        """Return a fresh id."""
        if not self._ready:
            drawn = token_hex(_ID_BYTES * _IDS_AT_ONCE)
            self._ready = [f"req_{drawn[at : at + 2 * _ID_BYTES]}" for at in range(0, len(drawn), 2 * _ID_BYTES)]
        return self._ready.pop()


def new_request_id() -> str:
    """Return a fresh id, for routes where its cost does not count."""
    return f"req_{token_hex(_ID_BYTES)}"


def request_id_of(headers: Headers, fresh: Callable[[], str] = new_request_id) -> str:
    """Return the caller's own request id if it is sane, else a fresh one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _SANE_ID.fullmatch(given) else fresh()


def require_json(headers: Headers) -> None:
    """
    Refuse a body that is no plain JSON.

    A browser may send other types, or none, to any address without asking first (no CORS preflight), so a page on
    the internet could otherwise use a gateway on somebody's machine.

    Raises:
        GatewayError: UNSUPPORTED_MEDIA_TYPE.
    """
    if headers.get(b"content-type") == _JSON and b"content-encoding" not in headers:
        return  # as nearly always
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media not in {_JSON, b""} and not media.endswith(b"+json"):
        shown = media[:80].decode("latin-1")
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, f"The content type {shown!r} is not JSON.")
    if not media and b"origin" in headers:
        raise GatewayError(
            UNSUPPORTED_MEDIA_TYPE, "A request from a web page must say 'content-type: application/json'."
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not accepted.")


def is_foreign_page(headers: Headers) -> bool:
    """
    Say whether a browser sends this on behalf of a page that the gateway has nothing to do with.

    Forms need no preflight, so that any page could have one sent to a gateway on its reader's machine; a key cannot be
    sent without one.
    """
    origin = headers.get(b"origin")
    if origin is None or b"authorization" in headers or b"x-api-key" in headers:
        return False
    return origin.partition(b"//")[2] != headers.get(b"host", b"")


def credential_of(headers: Headers) -> Credential | None:
    """Return the key that a request brings: `authorization: Bearer KEY`, or `x-api-key: KEY`."""
    given = headers.get(b"authorization")
    if given is not None and given[: len(_BEARER)].lower() == _BEARER:
        return Credential(given[len(_BEARER) :].strip())
    bare = headers.get(b"x-api-key") or given
    return Credential(bare.strip()) if bare else None


def forwarded(headers: Headers, allowed: Mapping[bytes, str], loop: Loop) -> tuple[tuple[str, str], ...]:
    """
    Return the `allowed` headers for a provider, and the name of the gateway behind those that the request came through.

    A trace context that is none goes no further, as the W3C wants it.

    Raises:
        GatewayError: LOOP_DETECTED.
    """
    via = loop.header if _VIA not in headers else (VIA, loop.passed(headers[_VIA].decode("latin-1")))
    if allowed.keys().isdisjoint(headers):
        return (via,)
    found = [(name, headers[key].decode("latin-1")) for key, name in allowed.items() if key in headers]
    if (b"traceparent" in headers or b"tracestate" in headers) and not _has_context(headers):
        found = [(name, value) for name, value in found if name not in _CONTEXT]
    return (*found, via)


def _has_context(headers: Headers) -> bool:
    return PARENT.fullmatch(headers.get(b"traceparent", b"").decode("latin-1")) is not None
