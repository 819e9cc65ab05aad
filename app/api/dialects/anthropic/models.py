"""Translate lists of models to Anthropic's format for its clients; Claude Code discovers models with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute


class _Model(msgspec.Struct):
    """The fields that are read from a model in OpenAI's format."""

    id: str
    created: int


class _Models(msgspec.Struct):
    """A list of models; `data` is None for a single model."""

    data: list[_Model] | None = None


class ModelsRoute(APIRoute):
    """A route whose answer, models in OpenAI's format, is translated for requests with `anthropic-version`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler; see the base class."""
        answer = super().get_route_handler()

        async def translated(request: Request) -> Response:
            response = await answer(request)
            if "anthropic-version" not in request.headers or response.status_code != HTTPStatus.OK:
                return response
            return Response(in_anthropics_form(bytes(response.body)), media_type="application/json")

        return translated


def in_anthropics_form(raw: bytes) -> bytes:
    """Return a list of models, or one model, in Anthropic's format; the whole list is one page."""
    models = msgspec.json.decode(raw, type=_Models).data
    if models is None:
        return msgspec.json.encode(_shown(msgspec.json.decode(raw, type=_Model)))
    ids = [model.id for model in models]
    page = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None, "has_more": False}
    return msgspec.json.encode({"data": [_shown(model) for model in models], **page})


def _shown(model: _Model) -> dict[str, str]:
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": model.id, "display_name": model.id, "created_at": created, "lifecycle": "active"}
