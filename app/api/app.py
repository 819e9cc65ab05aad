"""
The FastAPI application: hot routes, dispatched first, and the cold routes that FastAPI serves.

Hot routes are dispatched before FastAPI's middleware and router see the request (these would cost more than the
whole relay). They are also registered with the router, which answers 405 to a wrong method.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from app.api.admin import admin_router
from app.api.admin.gate import AdminGate
from app.api.asgi import AsgiSink, DefaultHeaders, Receive, Scope, Send
from app.api.cold import Exposition, Health, models_router, operations_router
from app.api.dialects.anthropic.counting import CountDialect
from app.api.dialects.anthropic.dialect import MessagesDialect
from app.api.dialects.anthropic.errors import message_refusal
from app.api.dialects.chat import ChatDialect
from app.api.dialects.generate import GenerateDialect
from app.api.dialects.plain import PlainDialect, plain_dialects
from app.api.dialects.port import Dialect
from app.api.dialects.responses.dialect import ResponsesDialect
from app.api.errors import error_response, internal_error, not_allowed, nothing_at, stopping
from app.api.forms import FormRoute
from app.api.hot import Desk, HotRoute
from app.api.inbound import headers_of, request_id_of
from app.api.moderations import ModerationsRoute
from app.api.openapi.cold import corrected
from app.api.openapi.hot import hot_paths
from app.api.page import page_router
from app.api.passthrough import PassRoute
from app.api.passthrough_places import PREFIX, Anywhere, Kept
from app.api.roles import is_inside, with_roles
from app.api.sessions import sessions_router
from app.api.streams import streams_router
from app.core.configuration import Configurations, Unchanging
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.model import Operation

Lifespan = Callable[["Api"], AbstractAsyncContextManager[None]]

_NOSNIFF = (b"x-content-type-options", b"nosniff")  # a browser must not guess another content type
_FILE_PREFIXES = ("/v1/files", "/v1/batches")
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Door(msgspec.Struct, frozen=True):
    """
    What the application serves besides calls: its version, start time, and metrics (None: disabled).

    `configurations` reloads the configuration. `admin_port` is the only port with the admin API and the metrics
    (None: they share the port of the calls).
    """

    version: str
    started_wall: float
    registry: CollectorRegistry | None
    exposition: Exposition | None
    configurations: Configurations = Unchanging()
    admin_port: int | None = None


class Api(FastAPI):
    """FastAPI with a fast path for the hot routes, and a request id on every other answer."""

    def __init__(self, desk: Desk, door: Door, lifespan: Lifespan) -> None:
        super().__init__(
            title="Wizard",
            summary="A self-hosted LLM gateway: one OpenAI-compatible address in front of every provider.",
            version=door.version,
            lifespan=lifespan,
            redirect_slashes=False,
            docs_url=None,  # app/api/page serves pages that load nothing from other hosts
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},  # we have our own
        )
        self._gateways, self._lifecycle = desk.gateways, desk.lifecycle
        self._hot = {path: _route(desk, dialect) for path, dialect in dialects().items()}
        self._gate = AdminGate(desk.gateways, desk.listener, door.admin_port)
        self._passing = PassRoute(desk, Anywhere())
        self._kept = {word.value: PassRoute(desk, Kept(word)) for word in (Operation.FILES, Operation.BATCHES)}
        for path, endpoint in self._hot.items():
            self.router.routes.append(Route(path, endpoint, methods=["POST"]))
        with _without_pydantic_1():
            self._include_cold_routes(desk, door)
        self.add_exception_handler(GatewayError, _gateway_error)
        self.add_exception_handler(HTTPException, _http_error)
        self.add_exception_handler(Exception, _unexpected_error)
        if door.registry is not None:
            Instrumentator(registry=door.registry).instrument(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        hot = self._hot.get(scope["path"])
        if hot is not None and scope["method"] == "POST":
            await hot(scope, receive, send)
            return
        passthrough = self._passthrough_route(scope["path"])
        if passthrough is not None:
            await passthrough(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the ASGI server leaves out the body
            scope = {**scope, "method": "GET"}
        if is_inside(scope["path"]):
            if await self._gate.refused(scope, receive, send):
                return
            send = self._gate.watched(scope, send)
        request_id = request_id_of(headers_of(scope))
        response = DefaultHeaders(
            send, ((b"x-request-id", request_id.encode()), (b"x-wizard-config", self._digest()), _NOSNIFF)
        )
        try:
            await super().__call__(scope, receive, response)
        except asyncio.CancelledError:
            if not self._lifecycle.cutting:
                raise
            if not response.begun:
                await AsgiSink(send).whole(*error_response(stopping(), request_id))

    def _passthrough_route(self, path: str) -> PassRoute | None:
        """Return the route that passes requests at this path on to a provider, if there is one."""
        if path.startswith(PREFIX):
            return self._passing
        return self._kept.get(path.split("/")[2]) if path.startswith(_FILE_PREFIXES) else None

    def _include_cold_routes(self, desk: Desk, door: Door) -> None:
        self.include_router(models_router(desk.gateways, door.started_wall))
        self.include_router(sessions_router(desk.gateways))
        self.include_router(streams_router(desk.gateways, desk.tapes, desk.listener, desk.lifecycle))
        health = Health(door.version, desk.gateways, desk.lifecycle, door.configurations)
        self.include_router(operations_router(health, door.exposition))
        self.include_router(page_router())
        self.include_router(admin_router(desk.gateways, door.configurations, self._hot))

    def _digest(self) -> bytes:
        return self._gateways.current.digest.encode("ascii", "replace")

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description of every route."""
        described = corrected(super().openapi())
        return with_roles({**described, "paths": {**hot_paths(), **described["paths"]}})


def dialects() -> dict[str, Dialect]:
    """Return the dialect of each hot route by its path."""
    return {
        "/v1/chat/completions": ChatDialect(),
        "/v1/generate": GenerateDialect(),
        "/v1/messages": MessagesDialect(),
        "/v1/messages/count_tokens": CountDialect(),
        "/v1/responses": ResponsesDialect(),
        **plain_dialects(),
    }


@contextmanager
def _without_pydantic_1() -> Iterator[None]:
    """Prevent FastAPI from importing pydantic 1 (2.5 MB), which it does to check whether parameters are its models."""
    blocked = "pydantic.v1" not in sys.modules
    if blocked:
        sys.modules["pydantic.v1"] = None  # type: ignore[assignment] # makes importing it fail
    try:
        yield
    finally:
        if blocked:
            del sys.modules["pydantic.v1"]


def _route(desk: Desk, dialect: Dialect) -> HotRoute:
    """Return the endpoint for a dialect."""
    if isinstance(dialect, PlainDialect) and dialect.form:
        return FormRoute(desk, dialect)
    if dialect.endpoint == Operation.MODERATIONS.value:
        return ModerationsRoute(desk, dialect)
    return HotRoute(desk, dialect)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return _response(not_allowed(request.method, request.url.path, _methods_at(request)), request)
    if status == HTTPStatus.NOT_FOUND:
        return _response(nothing_at(request.url.path), request)
    return _response(GatewayError(INVALID_REQUEST, "The request cannot be understood."), request)


def _methods_at(request: Request) -> list[str]:
    """Return all methods allowed at a path; a 405 of the router names only those of the first route that matches."""
    routes: list[BaseRoute] = request.app.routes

    def is_allowed(method: str) -> bool:
        return any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)

    return [method for method in _METHODS if is_allowed(method)]


async def _gateway_error(request: Request, error: Exception) -> Response:
    return _response(error if isinstance(error, GatewayError) else internal_error(), request)


async def _unexpected_error(request: Request, _error: Exception) -> Response:
    return _response(internal_error(), request)


def _response(error: GatewayError, request: Request) -> Response:
    is_anthropic = request.url.path.startswith("/v1/messages") or "anthropic-version" in request.headers
    refusal = message_refusal if is_anthropic else error_response
    status, headers, body = refusal(error, request_id_of(headers_of(request.scope)), None)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})
