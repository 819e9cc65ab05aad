"""Describe the passthrough routes: raw requests, files and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.api.openapi.parts import BYTES, FORM, JSON, TEXT, Json, answer, body, fields, operation

_WHERE: Mapping[str, object] = {
    "name": "x-wizard-provider",
    "in": "header",
    "schema": TEXT,
    "description": "The provider that keeps them; not needed where only one does.",
}
_FILE: Mapping[str, object] = {"file": {"type": "string", "format": "binary"}, "purpose": TEXT}
_BATCH: Mapping[str, object] = {
    "input_file_id": TEXT,
    "endpoint": {"type": "string", "examples": ["/v1/chat/completions"]},
    "completion_window": {"type": "string", "examples": ["24h"]},
}
_RAW: Final = ("get", "head", "post", "put", "patch", "delete")


def passing_paths() -> Json:
    """Return the `paths` entries."""
    upload, start = body(fields(_FILE, "file", "purpose"), FORM), body(fields(_BATCH, *_BATCH))
    file, batch = _in_path("file_id"), _in_path("batch_id")
    return {
        "/v1/files": {"get": _kept("List files"), "post": _kept("Upload a file", upload)},
        "/v1/files/{file_id}": {**file, "get": _kept("Describe a file"), "delete": _kept("Delete a file")},
        "/v1/files/{file_id}/content": {**file, "get": _kept("Download a file", gives=BYTES)},
        "/v1/batches": {"get": _kept("List batches"), "post": _kept("Start a batch", start)},
        "/v1/batches/{batch_id}": {**batch, "get": _kept("Describe a batch")},
        "/v1/batches/{batch_id}/cancel": {**batch, "post": _kept("Cancel a batch")},
        "/pass/{provider}/{path}": {**_in_path("provider", "path"), **{method: _raw(method) for method in _RAW}},
    }


def _in_path(*names: str) -> Json:
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]}


def _kept(summary: str, takes: Json | None = None, *, gives: str = JSON) -> Json:
    success = answer("The provider's answer.", (gives,))
    return {**operation(summary, "files and batches", success, takes), "parameters": [_WHERE]}


def _raw(method: str) -> Json:
    summary = f"Pass a {method.upper()} on to a provider as it is"
    return operation(summary, "pass-through", answer("The provider's answer."))
