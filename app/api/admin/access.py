"""Who gets into the administration, and how it answers: what all its topics share."""

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
    Return what the administration works with, to those who have the token of the newest configuration.

    Raises:
        GatewayError: UNAUTHORIZED, or NOT_FOUND where there is no administration.
    """
    admin = gateway.admin
    if admin is None:
        raise nothing_at(request.url.path)
    given = request.headers.get("authorization", "")
    token = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
    # digests are of one length, so that the comparison tells neither the length of the token nor a part of it
    if not hmac.compare_digest(hashlib.sha256(token.encode("latin-1", "replace")).digest(), admin.token_sha256):
        raise GatewayError(
            UNAUTHORIZED,
            "The administration needs its token.",
            suggestion="Send 'authorization: Bearer TOKEN' with the value of 'admin.token'.",
        )
    return admin


def json_answer(content: Json, status: int = 200) -> Response:
    """Return an answer that nobody keeps."""
    body = msgspec.json.encode(content)
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})


def described(parameters: Mapping[str, str]) -> Json:
    """Return what OpenAPI says of the query parameters of a route, whose meanings are given by name."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
            for name, text in parameters.items()
        ]
    }
