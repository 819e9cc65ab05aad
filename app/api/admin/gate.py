"""
Guard everything under /admin: check port and token, audit changes, add security headers. /metrics: port and headers.

It runs before the router, so no route can be left unprotected, and unknown paths under /admin reveal nothing either.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from fastapi import Request
from starlette.routing import Route

from app.api.asgi import AsgiSink, DefaultHeaders, Message, Receive, Scope, Send
from app.api.errors import error_response, nothing_at
from app.api.inbound import headers_of, request_id_of
from app.api.roles import ADMIN_PATH, is_administrative
from app.core.errors import UNAUTHORIZED, GatewayError
from app.core.gateway import AdminOptions, CurrentGateway, Gateway
from app.core.signals import AdminActed, Listener

# Every method but GET is audited, with these exceptions: reading a caller's messages is, a dry run is not.
_AUDITED: Final = frozenset({"GET /admin/sessions/{session_id}"})
_UNAUDITED: Final = frozenset({"POST /admin/explain"})
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_FAILED: Final = 400
_BEARER: Final = "bearer "


class AdminGate:
    """
    Admits operators and refuses all others.

    Args:
        gateways: Provide the admin token.

        listener: Receives an `AdminActed` for each audited action, and for each refusal.

        port: The only port that serves the admin API; None for any.
    """

    def __init__(self, gateways: CurrentGateway, listener: Listener, port: int | None) -> None:
        self._gateways = gateways
        self._listener = listener
        self._port = port

    async def refused(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Return whether the request was refused, in which case the refusal has been sent."""
        request_id = request_id_of(headers_of(scope))
        try:
            if self._port is not None and self._port != scope["server"][1]:
                raise nothing_at(scope["path"])
            if is_administrative(scope["path"]):
                admitted(Request(scope, receive), self._gateways.current)
        except GatewayError as error:
            if error.kind is UNAUTHORIZED:  # else the admin API is disabled or on another port
                self._listener(AdminActed(request_id, "", "", error.kind.status, admitted=False, peer=_peer(scope)))
            await AsgiSink(DefaultHeaders(send, _HEADERS)).whole(*error_response(error, request_id))
            return True
        return False

    def watched(self, scope: Scope, send: Send) -> Send:
        """Return a `Send` for an answer to an operator, which audits the action."""
        return _Audited(scope, send, self._listener)


class _Audited(DefaultHeaders):
    """A `Send` that adds security headers, and reports the action to `listener`."""

    def __init__(self, scope: Scope, send: Send, listener: Listener) -> None:
        super().__init__(send, _HEADERS)
        self._scope = scope
        self._listener = listener

    async def __call__(self, message: Message) -> None:
        """Forward a message."""
        if message["type"] == "http.response.start":
            self._audit(message["status"], dict(message.get("headers", ())).get(b"x-request-id", b""))
        await super().__call__(message)

    def _audit(self, status: int, request_id: bytes) -> None:
        route, method = self._scope.get("route"), self._scope["method"]
        if not isinstance(route, Route) or method not in (route.methods or ()):
            return  # no such route
        action = f"{method} {ADMIN_PATH}{route.path}"  # `route.path` is relative to the admin router
        if action in _UNAUDITED or (method == "GET" and action not in _AUDITED):
            return
        target = "" if status >= _FAILED else "/".join(map(str, self._scope.get("path_params", {}).values()))
        shown_id = request_id.decode() or request_id_of(headers_of(self._scope))
        self._listener(AdminActed(shown_id, action, target, status, admitted=True, peer=_peer(self._scope)))


def admitted(request: Request, gateway: Gateway) -> AdminOptions:
    """
    Return the options of the admin API, if the request has the token of the current configuration.

    Raises:
        GatewayError: UNAUTHORIZED, or NOT_FOUND if the admin API is disabled.
    """
    admin = gateway.admin
    if admin is None:
        raise nothing_at(request.url.path)
    header = request.headers.get("authorization", "")
    token = header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else ""
    # digests have equal lengths, so the comparison leaks neither the token's length nor a part of it
    if not hmac.compare_digest(hashlib.sha256(token.encode("latin-1", "replace")).digest(), admin.token_sha256):
        raise GatewayError(
            UNAUTHORIZED,
            "The administration needs its token.",
            suggestion="Send 'authorization: Bearer TOKEN' with the value of 'admin.token'.",
        )
    return admin


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
