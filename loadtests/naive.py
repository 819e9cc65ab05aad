"""
The naive proxy: what one writes by hand in an afternoon with FastAPI, a pydantic body and httpx2.

The second yardstick beside the floor. It has no keys, limits, retries or metrics either.
Run by `uvicorn loadtests.naive:app_from_env --factory`; `BENCH_UPSTREAM_URL` names the upstream.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str


class ChatBody(BaseModel):
    """The body of a chat completion, as far as the naive proxy looks at it."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[Message]
    stream: bool = False


def create_app(upstream_url: str) -> FastAPI:
    """Build the proxy in front of `upstream_url`; the app opens its client at start and closes it at the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(base_url=upstream_url, timeout=60) as client:
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(body: ChatBody) -> Response:
        client: httpx2.AsyncClient = app.state.client
        payload: dict[str, Any] = body.model_dump(exclude_unset=True)
        if body.stream:
            return await _stream(client, payload)
        answer = await client.post("/chat/completions", json=payload)
        return JSONResponse(answer.json(), status_code=answer.status_code)

    return app


async def _stream(client: httpx2.AsyncClient, payload: dict[str, Any]) -> Response:
    request = client.build_request("POST", "/chat/completions", json=payload)
    answer = await client.send(request, stream=True)

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_bytes():
                yield chunk
        finally:
            await answer.aclose()

    return StreamingResponse(chunks(), status_code=answer.status_code, media_type="text/event-stream")


def app_from_env() -> FastAPI:
    """Build the proxy for uvicorn's factory mode, which can pass no arguments."""
    return create_app(os.environ["BENCH_UPSTREAM_URL"])
