"""Admin route that explains a call without making it: the request is read as its endpoint would, and not sent."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.asgi import ClientGoneError, read_body
from app.api.hot import Arrival, HotRoute
from app.api.inbound import credential_of, headers_of, request_id_of
from app.api.json_routes import json_answer
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.explain.port import explain
from app.core.gateway import CurrentGateway

DEFAULT_ENDPOINT = "/v1/generate"  # accepts everything that chat completions accept


def explaining_router(gateways: CurrentGateway, endpoints: Mapping[str, HotRoute]) -> APIRouter:
    """Return the route; `endpoints` are the hot routes whose requests can be explained, by path."""
    router = APIRouter()

    @router.post("/explain", summary="Say what would happen to a call, without making it")
    async def explained(request: Request, endpoint: str = DEFAULT_ENDPOINT) -> Response:
        gateway = gateways.current
        admitted(request, gateway)
        route = endpoints.get(endpoint)
        if route is None:
            known = ", ".join(sorted(endpoints))
            raise GatewayError(INVALID_REQUEST, f"'endpoint' must be one of {known}.", param="endpoint")
        # `authorization` holds the admin token; the key of the caller to be explained comes as x-api-key.
        headers = {name: value for name, value in headers_of(request.scope).items() if name != b"authorization"}
        try:
            raw = await read_body(request.receive, headers, gateway.edge.body_max_bytes)
        except ClientGoneError:
            return Response()  # never read
        request_id, credential = request_id_of(headers), credential_of(headers)
        caller = await gateway.identities.identify(credential, request_id)
        call = route.call(Arrival(request_id, headers, credential, caller), raw, gateway.edge)
        explanation = await explain(call, gateway.explainers)
        return json_answer(msgspec.to_builtins(explanation))

    return router
