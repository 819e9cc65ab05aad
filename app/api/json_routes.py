"""What the routes that FastAPI serves share: who calls, JSON answers, additions to their OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from fastapi import Request, Response

from app.api.inbound import credential_of, headers_of, request_id_of
from app.api.openapi.parts import JSON, Json
from app.core.gateway import Gateway
from app.core.identity import Caller

_AT: Final = "#/components/schemas/"


async def caller_of(request: Request, gateway: Gateway) -> Caller:
    """
    Return who sends a request.

    Raises:
        GatewayError: UNAUTHORIZED, or another refusal of the key.
    """
    headers = headers_of(request.scope)
    return await gateway.identities.identify(credential_of(headers), request_id_of(headers))


def json_answer(content: Mapping[str, object], status: int = 200) -> Response:
    """Return a JSON response that must not be cached."""
    body = msgspec.json.encode(content)
    return Response(body, status, media_type=JSON, headers={"cache-control": "no-store"})


def query(parameters: Mapping[str, str]) -> Json:
    """Return the `openapi_extra` of a route that reads optional query parameters; maps names to descriptions."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
            for name, text in parameters.items()
        ]
    }


def takes(body: type, example: Json) -> Json:
    """Return the `openapi_extra` of a route whose body, of type `body`, is optional."""
    (schema,), parts = msgspec.json.schema_components([body], ref_template=_AT + "{name}")
    whole = _inlined(schema, parts)
    content = {JSON: {"schema": whole, "example": example}}
    return {"requestBody": {"required": False, "content": content}}


def _inlined(schema: object, parts: dict[str, object]) -> object:
    """Replace references by the types themselves: `openapi_extra` has no place for shared schemas."""
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference, pattern = schema.get("$ref"), schema.get("pattern")
    if isinstance(reference, str):
        return _inlined(parts[reference.removeprefix(_AT)], parts)
    if isinstance(pattern, str):
        schema = {**schema, "pattern": pattern.replace(r"\Z", "$")}  # JavaScript's syntax
    return {name: _inlined(each, parts) for name, each in schema.items() if name != "title" or isinstance(each, dict)}
