"""Helpers of all admin routes: check the token, write JSON responses, describe query parameters."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from fastapi import Request, Response

from app.api.errors import nothing_at
from app.core.errors import UNAUTHORIZED, GatewayError
from app.core.gateway import AdminOptions, Gateway

Json: TypeAlias = dict[str, object]

_BEARER = "bearer "


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


def json_answer(content: Json, status: int = 200) -> Response:
    """Return a JSON response that must not be cached."""
    body = msgspec.json.encode(content)
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})


def described(parameters: Mapping[str, str]) -> Json:
    """Return the OpenAPI description of query parameters; `parameters` maps names to descriptions."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
            for name, text in parameters.items()
        ]
    }
