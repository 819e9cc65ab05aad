"""Read request headers: id, credential, media type, headers to forward. Options are read in `request_options.py`."""

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
_VALID_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
_BEARER = b"bearer "
_JSON = b"application/json"
_VIA = VIA.encode()
_CONTEXT: Final = ("traceparent", "tracestate")
# The only request headers that are sent to a provider. Credentials, cookies and hop-by-hop headers never are.
FORWARDED: Final[Mapping[bytes, str]] = MappingProxyType(
    {name.encode(): name for name in ("openai-beta", "anthropic-beta", "idempotency-key", *_CONTEXT)}
)


def headers_of(scope: Scope) -> Headers:
    """Return the headers by lower-case name, undecoded because few are read; the last of repeated ones wins."""
    return dict(scope["headers"])


class RequestIds:
    """Generates request ids; draws randomness for many ids at once, because that is a system call."""

    def __init__(self) -> None:
        self._ready: list[str] = []

    def __call__(self) -> str:
        """Return a new id."""
        if not self._ready:
            drawn = token_hex(_ID_BYTES * _IDS_AT_ONCE)
            self._ready = [f"req_{drawn[at : at + 2 * _ID_BYTES]}" for at in range(0, len(drawn), 2 * _ID_BYTES)]
        return self._ready.pop()


def new_request_id() -> str:
    """Return a new id, for routes where its cost does not matter."""
    return f"req_{token_hex(_ID_BYTES)}"


def request_id_of(headers: Headers, fresh: Callable[[], str] = new_request_id) -> str:
    """Return the caller's `x-request-id` if it is valid, else a new id."""
    own = headers.get(b"x-request-id")
    return own.decode() if own is not None and _VALID_ID.fullmatch(own) else fresh()


def require_json(headers: Headers) -> None:
    """
    Refuse a body that is not uncompressed JSON.

    A browser sends other types, or none, to any address without a CORS preflight, so a page on the internet could
    otherwise use a gateway on its reader's machine.

    Raises:
        GatewayError: UNSUPPORTED_MEDIA_TYPE.
    """
    if headers.get(b"content-type") == _JSON and b"content-encoding" not in headers:
        return  # the common case
    media = media_type_of(headers)
    if media not in {_JSON, b""} and not media.endswith(b"+json"):
        shown = media[:80].decode("latin-1")
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, f"The content type {shown!r} is not JSON.")
    if not media and b"origin" in headers:
        raise GatewayError(
            UNSUPPORTED_MEDIA_TYPE, "A request from a web page must say 'content-type: application/json'."
        )
    refuse_compressed(headers)


def refuse_compressed(headers: Headers) -> None:
    """Refuse a compressed body by an UNSUPPORTED_MEDIA_TYPE."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not accepted.")


def media_type_of(headers: Headers) -> bytes:
    """Return the media type of the body without its parameters, in lower case; empty if there is none."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def is_foreign_page(headers: Headers) -> bool:
    """
    Return whether a browser sends this for a page of another origin, without a key.

    Forms need no CORS preflight, so any page could send one to a gateway on its reader's machine. Headers with a key
    need one.
    """
    origin = headers.get(b"origin")
    if origin is None or b"authorization" in headers or b"x-api-key" in headers:
        return False
    return origin.partition(b"//")[2] != headers.get(b"host", b"")


def credential_of(headers: Headers) -> Credential | None:
    """Return the key from `authorization: Bearer KEY`, `x-api-key: KEY` or `authorization: KEY`, in this order."""
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[: len(_BEARER)].lower() == _BEARER:
        return Credential(authorization[len(_BEARER) :].strip())
    bare = headers.get(b"x-api-key") or authorization
    return Credential(bare.strip()) if bare else None


def forwarded(headers: Headers, allowed: Mapping[bytes, str], loop: Loop) -> tuple[tuple[str, str], ...]:
    """
    Return the `allowed` headers for a provider, plus `via` with this gateway appended.

    An invalid trace context is dropped, as W3C Trace Context requires.

    Raises:
        GatewayError: LOOP_DETECTED.
    """
    via = loop.header if _VIA not in headers else (VIA, loop.passed(headers[_VIA].decode("latin-1")))
    if allowed.keys().isdisjoint(headers):
        return (via,)
    kept = [(name, headers[key].decode("latin-1")) for key, name in allowed.items() if key in headers]
    if (b"traceparent" in headers or b"tracestate" in headers) and not _has_context(headers):
        kept = [(name, value) for name, value in kept if name not in _CONTEXT]
    return (*kept, via)


def _has_context(headers: Headers) -> bool:
    return PARENT.fullmatch(headers.get(b"traceparent", b"").decode("latin-1")) is not None
