"""
The gate in front of everything under /admin, whatever its routes do, and, as to the port, of /metrics.

Who has no token comes no further, what is changed is told to the audit log, and no answer may be kept, framed or taken
for something else by a browser. It stands before the router, so that no route can be forgotten, and addresses that are
not there tell nothing either.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.routing import Route

from app.api.admin.access import admitted
from app.api.asgi import AsgiSink, Message, Receive, Scope, Send
from app.api.errors import error_response, nothing_at
from app.api.inbound import headers_of, request_id_of
from app.api.roles import ADMIN_PATH, is_administrative
from app.core.errors import UNAUTHORIZED, GatewayError
from app.core.gateway import CurrentGateway
from app.core.signals import AdminActed, Listener

# Beside everything but GET: what looks at the words of a caller is worth an entry, and a dry run is not.
_TELLING: Final = frozenset({"GET /admin/sessions/{session_id}"})
_SILENT: Final = frozenset({"POST /admin/explain"})
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_FAILED: Final = 400


class AdminGate:
    """
    Lets operators through.

    Args:
        gateways: Know the token.

        listener: Told what operators change, and of those who are refused.

        port: The only one that they come by; None for any.
    """

    def __init__(self, gateways: CurrentGateway, listener: Listener, port: int | None) -> None:
        self._gateways = gateways
        self._listener = listener
        self._port = port

    async def refused(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Say whether the request of `scope` was refused; it is answered then."""
        request_id = request_id_of(headers_of(scope))
        try:
            if self._port is not None and self._port != scope["server"][1]:
                raise nothing_at(scope["path"])
            if is_administrative(scope["path"]):
                admitted(Request(scope, receive), self._gateways.current)
        except GatewayError as error:
            if error.kind is UNAUTHORIZED:  # else there is no administration, and nobody to tell of it
                self._listener(AdminActed(request_id, "", "", error.kind.status, admitted=False, peer=_peer(scope)))
            await AsgiSink(Guarded(scope, send)).whole(*error_response(error, request_id))
            return True
        return False

    def watched(self, scope: Scope, send: Send) -> Send:
        """Return a `Send` for an answer to an operator, which tells what was done."""
        return Guarded(scope, send, self._listener)


class Guarded:
    """A `Send` that adds the headers of the administration, and tells `listener` what was done."""

    def __init__(self, scope: Scope, send: Send, listener: Listener | None = None) -> None:
        self._scope = scope
        self._send = send
        self._listener = listener

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            given = dict(message.get("headers", ()))
            message["headers"] = [
                *message.get("headers", ()),
                *(header for header in _HEADERS if header[0] not in given),
            ]
            if self._listener is not None:
                self._tell(self._listener, message["status"], given.get(b"x-request-id", b""))
        await self._send(message)

    def _tell(self, listener: Listener, status: int, request_id: bytes) -> None:
        route, method = self._scope.get("route"), self._scope["method"]
        if not isinstance(route, Route) or method not in (route.methods or ()):
            return  # nothing is there
        action = f"{method} {ADMIN_PATH}{route.path}"  # a route knows its path within its router
        if action in _SILENT or (method == "GET" and action not in _TELLING):
            return
        named = "" if status >= _FAILED else "/".join(map(str, self._scope.get("path_params", {}).values()))
        told = request_id.decode() or request_id_of(headers_of(self._scope))
        listener(AdminActed(told, action, named, status, admitted=True, peer=_peer(self._scope)))


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
