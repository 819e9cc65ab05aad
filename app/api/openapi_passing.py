"""The OpenAPI description of what is passed on as its caller wrote it; `openapi.py` has the other hot routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

_JSON, _FORM, _BYTES = "application/json", "multipart/form-data", "application/octet-stream"
_WHERE: Mapping[str, object] = {
    "name": "x-wizard-provider",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The provider that keeps them; not needed where only one does.",
}
_FILE: Mapping[str, object] = {"file": {"type": "string", "format": "binary"}, "purpose": {"type": "string"}}
_BATCH: Mapping[str, object] = {
    "input_file_id": {"type": "string"},
    "endpoint": {"type": "string", "examples": ["/v1/chat/completions"]},
    "completion_window": {"type": "string", "examples": ["24h"]},
}


def passing_paths(refusal: Json) -> Json:
    """Return the `paths` entries; `refusal` describes a refused request."""
    return {
        "/v1/files": {
            "get": _kept("List files", refusal),
            "post": _kept("Upload a file", refusal, takes=_body(_FORM, _FILE, "file", "purpose")),
        },
        "/v1/files/{file_id}": _named(
            "file_id", get=_kept("Describe a file", refusal), delete=_kept("Delete a file", refusal)
        ),
        "/v1/files/{file_id}/content": _named("file_id", get=_kept("Download a file", refusal, gives=_BYTES)),
        "/v1/batches": {
            "get": _kept("List batches", refusal),
            "post": _kept("Start a batch", refusal, takes=_body(_JSON, _BATCH, *_BATCH)),
        },
        "/v1/batches/{batch_id}": _named("batch_id", get=_kept("Describe a batch", refusal)),
        "/v1/batches/{batch_id}/cancel": _named("batch_id", post=_kept("Cancel a batch", refusal)),
        "/pass/{provider}/{path}": _raw(refusal),
    }


def _raw(refusal: Json) -> Json:
    operations = {
        method: {
            "summary": f"Pass a {method.upper()} on to a provider as it is",
            "tags": ["pass-through"],
            "responses": {"200": {"description": "The provider's answer."}, "4XX": refusal, "5XX": refusal},
        }
        for method in ("get", "head", "post", "put", "patch", "delete")
    }
    return {"parameters": [_parameter("provider"), _parameter("path")], **operations}


def _kept(summary: str, refusal: Json, *, takes: Json | None = None, gives: str = _JSON) -> Json:
    return {
        "summary": summary,
        "tags": ["files and batches"],
        "parameters": [dict(_WHERE)],
        **({} if takes is None else {"requestBody": takes}),
        "responses": {
            "200": {"description": "The provider's answer.", "content": {gives: {}}},
            "4XX": refusal,
            "5XX": refusal,
        },
    }


def _named(name: str, **operations: Json) -> Json:
    return {"parameters": [_parameter(name)], **operations}


def _parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _body(media: str, fields: Mapping[str, object], *required: str) -> Json:
    schema = {"type": "object", "properties": dict(fields), "required": list(required)}
    return {"required": True, "content": {media: {"schema": schema}}}
