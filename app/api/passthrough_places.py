"""Resolve the destination of a passthrough request: provider, operation and path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from app.api.asgi import Scope
from app.api.errors import not_allowed, nothing_at
from app.api.inbound import Headers
from app.core.addresses import checked, without
from app.core.errors import INVALID_REQUEST, NOT_FOUND, UNSUPPORTED_FEATURE, GatewayError
from app.core.gateway import Gateway, Passing
from app.core.model import Operation

PREFIX: Final = "/pass/"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ID = r"[A-Za-z0-9_-]{1,128}"
_FILES: Final = (
    ("GET", re.compile(rf"/files(?:/{_ID}(?:/content)?)?")),
    ("POST", re.compile(r"/files")),
    ("DELETE", re.compile(rf"/files/{_ID}")),
)
_BATCHES: Final = (
    ("GET", re.compile(rf"/batches(?:/{_ID})?")),
    ("POST", re.compile(rf"/batches(?:/{_ID}/cancel)?")),
)
_PROVIDER_PARAM: Final = "provider"


class Place(msgspec.Struct, frozen=True):
    """One request's destination. `metered`: its body may name a model, and so cost tokens."""

    provider: str
    operation: Operation
    method: str
    path: str
    metered: bool = False


class Places(Protocol):
    """Resolves the destinations of some routes."""

    @property
    def endpoint(self) -> str:
        """Return the name of these routes in logs and metrics."""
        ...

    def find(self, scope: Scope, headers: Headers, gateway: Gateway) -> tuple[Passing, Place]:
        """
        Return the destination of a request, and the gateway's passthrough options.

        Raises:
            GatewayError: NOT_FOUND, METHOD_NOT_ALLOWED, INVALID_REQUEST or UNSUPPORTED_FEATURE.
        """
        ...


class Anywhere:
    """`/pass/{provider}/*`."""

    endpoint = Operation.PASS.value

    def find(self, scope: Scope, headers: Headers, gateway: Gateway) -> tuple[Passing, Place]:  # noqa: ARG002 - the port's
        """Return the destination that the path names; see the port."""
        passing = gateway.passing
        if passing is None or not passing.raw:
            advice = "Use the endpoints of /docs, or have the operator set 'passthrough.enabled'."
            raise GatewayError(NOT_FOUND, "Requests are not passed on here.", suggestion=advice)
        raw, query = _address(scope)
        provider, slash, rest = raw.removeprefix(PREFIX).partition("/")
        if provider not in passing.raw:
            advice = f"Use one of these: {', '.join(passing.raw)}."
            raise GatewayError(
                NOT_FOUND, f"Requests are not passed on to a provider {provider[:100]!r}.", suggestion=advice
            )
        _require(scope["method"], raw, _METHODS)
        return passing, Place(provider, Operation.PASS, scope["method"], checked(slash + rest, query), metered=True)


class Kept:
    """`/v1/files` or `/v1/batches`, at the provider that the request names, or at the only one that supports them."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._routes = _FILES if operation is Operation.FILES else _BATCHES
        self.endpoint = operation.value

    def find(self, scope: Scope, headers: Headers, gateway: Gateway) -> tuple[Passing, Place]:
        """Return the destination; see the port."""
        passing, word = gateway.passing, self._operation.value
        if passing is None or not passing.keeps:
            advice = "Send what they would hold with each request, or have the operator set 'files.enabled'."
            raise GatewayError(NOT_FOUND, f"There are no {word} here.", suggestion=advice)
        raw, query = _address(scope)
        path = raw.removeprefix("/v1")
        methods = [method for method, form in self._routes if form.fullmatch(path)]
        if not methods:
            raise nothing_at(raw)
        _require(scope["method"], raw, methods)
        provider = self._provider(headers, query, gateway, passing)
        address = checked(path, without(query, frozenset({_PROVIDER_PARAM})))
        return passing, Place(provider, self._operation, scope["method"], address)

    def _provider(self, headers: Headers, query: str, gateway: Gateway, passing: Passing) -> str:
        supporting = passing.files if self._operation is Operation.FILES else passing.batches
        word = self._operation.value
        named = headers.get(b"x-wizard-provider", b"").decode("latin-1") or _provider_param(query)
        if named:
            if named in supporting:
                return named
            if named in gateway.routing.providers:
                raise GatewayError(
                    UNSUPPORTED_FEATURE,
                    f"The provider {named!r} has no {word} in OpenAI's form.",
                    param=_PROVIDER_PARAM,
                    suggestion=_own_form(named, word, passing),
                )
            raise GatewayError(INVALID_REQUEST, f"There is no provider {named[:100]!r}.", param=_PROVIDER_PARAM)
        if not supporting:
            raise GatewayError(UNSUPPORTED_FEATURE, f"No configured provider has {word}.", param=_PROVIDER_PARAM)
        if len(supporting) > 1:
            message = f"Several providers have {word}: {', '.join(supporting)}."
            advice = "Name one of them in the header 'x-wizard-provider' or as '?provider='."
            raise GatewayError(INVALID_REQUEST, message, param=_PROVIDER_PARAM, suggestion=advice)
        return supporting[0]


def _require(method: str, path: str, methods: Sequence[str]) -> None:
    """Refuse a method that a path does not support; GET includes HEAD."""
    if ("GET" if method == "HEAD" else method) not in methods:
        raise not_allowed(method, path, methods)


def _own_form(provider: str, word: str, passing: Passing) -> str:
    """Return how to reach files or batches that a provider has in a format of its own, such as Anthropic's batches."""
    where = f"If it has {word} in a form of its own, ask for them below '{PREFIX}{provider}/'"
    return f"{where}." if provider in passing.raw else f"{where}, once the operator has set 'passthrough.enabled'."


def _address(scope: Scope) -> tuple[str, str]:
    """Return path and query, not percent-decoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return raw.partition(b"?")[0].decode("latin-1"), query.decode("latin-1")


def _provider_param(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&"))
    return next((value for name, _, value in pairs if name == _PROVIDER_PARAM), "")
