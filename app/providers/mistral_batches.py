"""
Mistral's batch jobs, in the form that OpenAI gave batches. Its files need none of that: they are OpenAI's.

Facts from https://docs.mistral.ai/api/endpoint/batch. A job runs one model, which OpenAI's form names line by line, so
the request has to say it beside the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPMethod
from types import MappingProxyType
from typing import Any, Final, Literal, TypeGuard
from urllib.parse import parse_qs

import msgspec

from app.core.bodies import decode_as
from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, INVALID_REQUEST, UNSUPPORTED_FEATURE, GatewayError
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.ports import Encoded
from app.providers.canonical.decoding import UNREADABLE
from app.providers.passthrough import PassCodec

_JOBS: Final = "/batch/jobs"
_LISTED_MAX: Final = 100  # jobs on a page: some 100 KB, which is read whole
_WINDOW_HOURS: Final = 24
_STATUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "QUEUED": "validating",
        "RUNNING": "in_progress",
        "SUCCESS": "completed",
        "FAILED": "failed",
        "TIMEOUT_EXCEEDED": "expired",
        "CANCELLATION_REQUESTED": "cancelling",
        "CANCELLED": "cancelled",
    }
)
# The member of OpenAI's that says when a batch came to its end, by how it ended.
_ENDED: Final = ("completed", "failed", "expired", "cancelled")


class _Asked(msgspec.Struct, frozen=True):
    """A batch as OpenAI's clients ask for it, and the model that Mistral needs."""

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"] = "24h"
    model: str | None = None
    metadata: dict[str, str] | None = None


class _Failure(msgspec.Struct, frozen=True):
    message: str = ""


class _Job(msgspec.Struct, frozen=True):
    id: str
    status: str
    endpoint: str = ""
    model: str | None = None
    input_files: list[str] = []
    output_file: str | None = None
    error_file: str | None = None
    errors: list[_Failure] = []
    metadata: dict[str, Any] | None = None
    created_at: int = 0
    started_at: int | None = None
    completed_at: int | None = None
    total_requests: int = 0
    succeeded_requests: int = 0
    failed_requests: int = 0


class _Jobs(msgspec.Struct, frozen=True):
    data: list[_Job] | None = None  # null where there are none
    total: int = 0


class MistralCodec(PassCodec):
    """The codec of what is passed on to Mistral: batches are translated, everything else goes as it is."""

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return the caller's own request, or the job that its batch is; see the port."""
        encoded = super().encode(request, target)
        if not _is_batch(request):
            return encoded
        path, _, query = encoded.path.removeprefix("/batches").partition("?")
        if request.method == HTTPMethod.GET and not path:
            return msgspec.structs.replace(encoded, path=f"{_JOBS}?{_page(query)}")
        body = _job_asked(request.raw) if not path else request.raw
        return msgspec.structs.replace(encoded, path=_JOBS + path, body=body)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the answer, a job as the batch that it is; see the port."""
        if not _is_batch(request):
            return super().decode(body, request)
        try:
            if request.method == HTTPMethod.GET and request.path.partition("?")[0] == "/batches":
                return Completion(msgspec.json.encode(_listed(msgspec.json.decode(body, type=_Jobs))))
            return Completion(msgspec.json.encode(_batch(msgspec.json.decode(body, type=_Job))))
        except UNREADABLE as error:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is no batch of Mistral's.") from error


def _is_batch(request: Request) -> TypeGuard[PlainRequest]:
    return isinstance(request, PlainRequest) and request.operation is Operation.BATCHES


def _job_asked(raw: bytes) -> bytes:
    asked = decode_as(_Asked, raw)
    if asked.model is None:
        message = "Mistral runs all lines of a batch with one model, which the field 'model' has to name."
        advice = "Send it beside the others; OpenAI's SDKs take it as extra_body={'model': ...}."
        raise GatewayError(INVALID_REQUEST, message, param="model", suggestion=advice)
    job = {
        "input_files": [asked.input_file_id],
        "endpoint": asked.endpoint,
        "model": asked.model,
        "timeout_hours": _WINDOW_HOURS,
        "metadata": asked.metadata,
    }
    return msgspec.json.encode(job)


def _page(query: str) -> str:
    given = parse_qs(query)
    if "after" in given:
        message = f"Mistral lists batches by pages, not behind one of them; 'limit' may be up to {_LISTED_MAX}."
        raise GatewayError(UNSUPPORTED_FEATURE, message, param="after")
    limit = given.get("limit", ["20"])[0]  # OpenAI's default
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= _LISTED_MAX):
        raise GatewayError(INVALID_REQUEST, f"'limit' must be a number from 1 to {_LISTED_MAX}.", param="limit")
    return f"page=0&page_size={limit}"


def _listed(jobs: _Jobs) -> dict[str, Any]:
    batches = [_batch(job) for job in jobs.data or ()]
    ends = {"first_id": batches[0]["id"], "last_id": batches[-1]["id"]} if batches else {}
    return {"object": "list", "data": batches, **ends, "has_more": jobs.total > len(batches)}


def _batch(job: _Job) -> dict[str, Any]:
    status = _STATUSES.get(job.status, "in_progress")
    failures = [{"code": None, "message": each.message, "param": None, "line": None} for each in job.errors]
    return {
        "id": job.id,
        "object": "batch",
        "endpoint": job.endpoint,
        "model": job.model,
        "errors": {"object": "list", "data": failures} if failures else None,
        "input_file_id": job.input_files[0] if job.input_files else "",
        "completion_window": f"{_WINDOW_HOURS}h",
        "status": status,
        "output_file_id": job.output_file,
        "error_file_id": job.error_file,
        "created_at": job.created_at,
        "in_progress_at": job.started_at,
        **{f"{end}_at": job.completed_at if status == end else None for end in _ENDED},
        "request_counts": {
            "total": job.total_requests,
            "completed": job.succeeded_requests,
            "failed": job.failed_requests,
        },
        "metadata": job.metadata,
    }
