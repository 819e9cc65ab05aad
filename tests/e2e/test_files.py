"""Files and batches through the running gateway, driven by OpenAI's own SDK."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.conftest import PROVIDER_KEY, openai_client
from tests.e2e.support.upstream import Exchange, Upstream, listening
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

ALL, ONE_MODEL = "wz-of-all", "wz-of-one-model"
LINES = b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{}}\n' * 2000
FILE = (
    b'{"id":"file-1","object":"file","bytes":3,"created_at":1,"filename":"a.jsonl","purpose":"batch",'
    b'"status":"processed"}'
)
BATCH = (
    b'{"id":"batch_1","object":"batch","endpoint":"/v1/chat/completions","input_file_id":"file-1","status":"%b",'
    b'"completion_window":"24h","created_at":1,"usage":{"input_tokens":900,"output_tokens":90,"total_tokens":990}}'
)
ANSWERS = {
    ("POST", "/v1/files"): FILE,
    ("GET", "/v1/files"): b'{"object":"list","data":[%b],"has_more":false}' % FILE,
    ("GET", "/v1/files/file-1"): FILE,
    ("DELETE", "/v1/files/file-1"): b'{"id":"file-1","object":"file","deleted":true}',
    ("POST", "/v1/batches"): BATCH % b"validating",
    ("GET", "/v1/batches"): b'{"object":"list","data":[%b],"has_more":false}' % (BATCH % b"completed"),
    ("GET", "/v1/batches/batch_1"): BATCH % b"completed",
    ("POST", "/v1/batches/batch_1/cancel"): BATCH % b"cancelling",
}


def keep(exchange: Exchange) -> None:
    """Answer as a provider does that keeps files and batches."""
    method, path = exchange.request.line.split(" ")[0], exchange.request.path.partition("?")[0]
    if path == "/v1/files/file-1/content":
        exchange.answer(LINES, media_type="application/octet-stream", headers=('content-disposition: x; filename="a"',))
        return
    answer = ANSWERS.get((method, path))
    if answer is None:
        exchange.answer(b'{"error":{"message":"No such File object.","code":null}}', 404)
    else:
        exchange.answer(answer)


@pytest.fixture(scope="module")
def other() -> Iterator[Upstream]:
    """Run a second provider."""
    with listening() as provider:
        provider.on("", keep)
        yield provider


def configuration(**providers: Mapping[str, str | None]) -> dict[str, Any]:
    """Return a configuration with files."""
    hashes = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in (("all", ALL), ("one", ONE_MODEL))}
    return {
        "server": {"body_max_bytes": 10_000},
        "auth": {"required": True},
        "keys": [
            {"name": "all", "hash": f"sha256:{hashes['all']}"},
            {"name": "one", "hash": f"sha256:{hashes['one']}", "models": ["box/m"]},
        ],
        "providers": providers,
        "files": {"enabled": True, "max_bytes": 400_000},
    }


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, other: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with two providers that have files and batches, one in its own form, and one with neither."""
    upstream.on("", keep)
    box = {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}
    second = {"kind": "mistral", "base_url": other.url, "api_key": "sk-other"}
    third = {"kind": "anthropic", "base_url": other.url, "api_key": "sk-other"}
    with running(Start(configuration(box=box, second=second, third=third))) as process:
        yield process


@pytest.fixture
def sdk(gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Use OpenAI's SDK as its users do."""
    with openai_client(f"{gateway.url}/v1") as client:
        yield client.with_options(api_key=ALL, default_headers={"x-wizard-provider": "box"})


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to the gateway without an SDK."""
    headers = {"authorization": f"Bearer {ALL}"}
    with httpx2.Client(base_url=gateway.url, **LOCAL, headers=headers) as client:
        yield client


def error(reply: httpx2.Response) -> tuple[int, str]:
    """Return the status and code of a refusal."""
    return reply.status_code, str(reply.json()["error"]["code"])


def test_files(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A file is uploaded byte for byte, with more bytes than are ever held, then found, read and deleted."""
    upstream.on("", keep)

    made = sdk.files.create(file=("a.jsonl", LINES), purpose="batch")
    found = [file.id for file in sdk.files.list(limit=5)]
    described, content, gone = sdk.files.retrieve("file-1"), sdk.files.content("file-1"), sdk.files.delete("file-1")

    sent = upstream.received("")
    assert (made.id, found, described.filename, gone.deleted) == ("file-1", ["file-1"], "a.jsonl", True)
    assert (content.content, content.response.headers["content-length"]) == (LINES, str(len(LINES)))
    assert LINES in sent[0].body
    assert sent[0].headers["content-type"].startswith("multipart/form-data; boundary=")
    assert sent[1].path == "/v1/files?limit=5"
    assert {received.headers["authorization"] for received in sent} == {f"Bearer {PROVIDER_KEY}"}


def test_batches(sdk: openai.OpenAI, gateway: GatewayProcess, upstream: Upstream) -> None:
    """A batch is made, watched, listed and cancelled; what it used is no usage of the calls that ask for it."""
    upstream.on("", keep)

    made = sdk.batches.create(input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h")
    found, listed = sdk.batches.retrieve("batch_1"), [batch.id for batch in sdk.batches.list()]
    cancelled = sdk.batches.cancel("batch_1")

    assert (made.status, found.status, listed, cancelled.status) == (
        "validating", "completed", ["batch_1"], "cancelling",
    )  # fmt: skip
    gateway.wait_for_log("request_completed", endpoint="batches", provider="box")
    assert gateway.metric("wizard_tokens_total", provider="box", model="*", type="prompt") == 0


JOB: dict[str, Any] = {
    "id": "0199-job", "object": "batch", "input_files": ["file-1"], "endpoint": "/v1/chat/completions",
    "model": "mistral-small-latest", "metadata": {"of": "us"}, "errors": [], "status": "QUEUED", "created_at": 7,
    "total_requests": 9, "completed_requests": 0, "succeeded_requests": 0, "failed_requests": 0,
}  # fmt: skip
DONE = {
    "status": "SUCCESS", "output_file": "file-2", "error_file": "file-3", "started_at": 8, "completed_at": 9,
    "completed_requests": 9, "succeeded_requests": 7, "failed_requests": 2,
}  # fmt: skip


def run_jobs(exchange: Exchange) -> None:
    """Answer as Mistral does."""
    method, path = exchange.request.line.split(" ")[0], exchange.request.path
    told: dict[tuple[str, str], object] = {
        ("POST", "/v1/batch/jobs"): JOB,
        ("GET", "/v1/batch/jobs/0199-job"): JOB | DONE,
        ("GET", "/v1/batch/jobs?page=0&page_size=20"): {"object": "list", "data": [JOB, JOB | DONE], "total": 2},
        ("GET", "/v1/batch/jobs?page=0&page_size=1"): {"object": "list", "data": [JOB], "total": 2},
        ("GET", "/v1/batch/jobs?page=0&page_size=2"): {"object": "list", "data": None, "total": 0},
        ("GET", "/v1/batch/jobs?page=0&page_size=3"): ["no list"],
        ("POST", "/v1/batch/jobs/0199-job/cancel"): JOB | {"status": "CANCELLATION_REQUESTED"},
        ("GET", "/v1/batch/jobs/0199-bad"): JOB | {"status": "FAILED", "errors": [{"message": "No.", "count": 3}]},
        ("GET", "/v1/batch/jobs/0199-new"): JOB | {"status": "PONDERING"},
    }
    if (method, path) in told:
        exchange.answer(json.dumps(told[method, path]).encode())
    else:
        exchange.answer(b'{"object":"error","message":"No such job.","code":"1"}', 404)


@pytest.fixture
def mistral(gateway: GatewayProcess, other: Upstream) -> Iterator[openai.OpenAI]:
    """Use OpenAI's SDK for batches at Mistral, which asks for one model."""
    other.on("mistral-small-latest", run_jobs)
    other.on("", run_jobs)
    with openai_client(f"{gateway.url}/v1") as client:
        yield client.with_options(api_key=ALL, default_headers={"x-wizard-provider": "second"})


def test_batches_of_mistral(mistral: openai.OpenAI, other: Upstream) -> None:
    """A job is a batch: made, watched until it is done, listed and cancelled by OpenAI's own SDK."""
    made = mistral.batches.create(
        input_file_id="file-1",
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"of": "us"},
        extra_body={"model": "mistral-small-latest"},
    )
    done, listed = mistral.batches.retrieve(made.id), list(mistral.batches.list())
    cancelled = mistral.batches.cancel(made.id)

    (asked,) = other.received("mistral-small-latest")
    assert json.loads(asked.body) == {
        "input_files": ["file-1"], "endpoint": "/v1/chat/completions", "model": "mistral-small-latest",
        "timeout_hours": 24, "metadata": {"of": "us"},
    }  # fmt: skip
    assert (made.object, made.status, made.input_file_id, made.created_at) == ("batch", "validating", "file-1", 7)
    assert (done.status, done.output_file_id, done.error_file_id) == ("completed", "file-2", "file-3")
    assert (done.in_progress_at, done.completed_at, done.failed_at) == (8, 9, None)
    assert done.request_counts is not None
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (9, 7, 2)
    assert [batch.status for batch in listed] == ["validating", "completed"]
    assert cancelled.status == "cancelling"


def test_what_becomes_of_jobs(mistral: openai.OpenAI) -> None:
    """Failures are told, and a state that is new counts as one under way; an empty list is one."""
    failed = mistral.batches.retrieve("0199-bad")

    assert failed.status == "failed"
    assert failed.errors is not None
    assert [each.message for each in failed.errors.data or ()] == ["No."]
    assert mistral.batches.retrieve("0199-new").status == "in_progress"
    assert mistral.batches.list(limit=2).data == []
    assert mistral.batches.list(limit=1).has_more


@pytest.mark.parametrize(
    ("method", "path", "body", "expected", "param"),
    [
        ("POST", "/v1/batches", b'{"input_file_id":"f","endpoint":"/v1/x"}', (400, "invalid_request"), "model"),
        ("POST", "/v1/batches", b'{"endpoint":"/v1/x"}', (400, "invalid_request"), "input_file_id"),
        ("POST", "/v1/batches", b'{"input_file_id":1,"endpoint":""}', (400, "invalid_request"), "input_file_id"),
        ("POST", "/v1/batches", b"{", (400, "invalid_json"), None),
        ("GET", "/v1/batches?after=0199-job", b"", (400, "unsupported_feature"), "after"),
        ("GET", "/v1/batches?limit=101", b"", (400, "invalid_request"), "limit"),
        ("GET", "/v1/batches?limit=3", b"", (502, "bad_upstream_reply"), None),
        ("GET", "/v1/batches/0199-gone", b"", (404, "not_found"), None),
    ],
)
def test_refusals_of_mistral(
    http: httpx2.Client,
    mistral: openai.OpenAI,  # noqa: ARG001 - scripts the provider
    method: str,
    path: str,
    body: bytes,
    expected: tuple[int, str],
    param: str | None,
) -> None:
    """What Mistral's jobs cannot be is said, with the field that says otherwise."""
    headers = {"x-wizard-provider": "second", "content-type": "application/json"}

    reply = http.request(method, path, content=body, headers=headers)

    assert error(reply) == expected
    assert reply.json()["error"]["param"] == param


def test_what_is_not_there(sdk: openai.OpenAI) -> None:
    """The SDK raises what its users expect, in the provider's words."""
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.files.retrieve("file-2")

    assert caught.value.body["message"] == "No such File object."  # type: ignore[index]  # a dict


@pytest.mark.parametrize("by", ["header", "query"])
def test_which_provider(http: httpx2.Client, other: Upstream, by: str) -> None:
    """Header or query name the provider; the query's word does not go on."""
    other.on("", keep)
    headers, params = ({"x-wizard-provider": "second"}, {}) if by == "header" else ({}, {"provider": "second"})

    reply = http.get("/v1/files", headers=headers, params={**params, "limit": "1"})

    assert reply.headers["x-wizard-provider"] == "second"
    assert other.received("")[0].path == "/v1/files?limit=1"


def test_only_one_needs_no_telling(upstream: Upstream) -> None:
    """Of these providers one is known to have batches."""
    upstream.on("", keep)
    box = {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}
    kimi = {"kind": "moonshot", "base_url": upstream.url, "api_key": PROVIDER_KEY}

    with running(Start({**configuration(box=box, kimi=kimi), "auth": {"required": False}, "keys": []})) as process:
        assert process.get("/v1/batches").headers["x-wizard-provider"] == "box"


@pytest.mark.parametrize(
    ("path", "provider", "expected", "said"),
    [
        ("/v1/files", None, (400, "invalid_request"), "box, second"),
        ("/v1/files", "third", (400, "unsupported_feature"), "'third' has no files"),
        ("/v1/batches", "third", (400, "unsupported_feature"), "'third' has no batches in OpenAI's form"),
        ("/v1/batches", None, (400, "invalid_request"), "box, second"),
        ("/v1/files", "nowhere", (400, "invalid_request"), "'nowhere'"),
        ("/v1/files/a/b/c", "box", (404, "not_found"), ""),
        ("/v1/files/../models", "box", (404, "not_found"), ""),
        ("/v1/batches/b/content", "box", (404, "not_found"), ""),
    ],
)
def test_refusals(http: httpx2.Client, path: str, provider: str | None, expected: tuple[int, str], said: str) -> None:
    """What cannot be is a clear refusal that says what could."""
    headers = {} if provider is None else {"x-wizard-provider": provider}
    request = http.build_request("GET", "/", headers=headers)
    request.extensions["target"] = path.encode()

    reply = http.send(request)

    assert error(reply) == expected
    assert said in reply.json()["error"]["message"]


def test_methods(http: httpx2.Client) -> None:
    """Each address takes its own methods, and says which."""
    addresses = {"/v1/files": "GET, HEAD, POST", "/v1/files/f": "DELETE, GET, HEAD", "/v1/batches/b/cancel": "POST"}

    answers = {path: http.put(path) for path in addresses}

    assert {error(answer) for answer in answers.values()} == {(405, "method_not_allowed")}
    assert {path: answer.headers["allow"] for path, answer in answers.items()} == addresses


def test_files_have_a_bound(http: httpx2.Client) -> None:
    """A file over its bound is refused."""
    reply = http.post("/v1/files", files={"file": bytes(500_000)}, headers={"x-wizard-provider": "box"})

    assert error(reply) == (413, "body_too_large")


def test_keys_need_the_whole_provider(http: httpx2.Client) -> None:
    """A key for single models sees nobody's files."""
    reply = http.get("/v1/files", headers={"authorization": f"Bearer {ONE_MODEL}", "x-wizard-provider": "box"})

    assert error(reply) == (403, "forbidden")


@pytest.mark.parametrize(
    ("version", "path"), [(None, "/openai/v1/files?limit=1"), ("v9", "/openai/files?api-version=v9&limit=1")]
)
def test_azure_has_them_elsewhere(upstream: Upstream, version: str | None, path: str) -> None:
    """Azure's addresses are its own."""
    azure = {"kind": "azure", "base_url": upstream.url.removesuffix("/v1"), "api_key": "k", "api_version": version}
    upstream.on("", lambda exchange: exchange.answer(ANSWERS["GET", "/v1/files"]))

    with running(Start(configuration(azure=azure))) as process:
        headers = {"authorization": f"Bearer {ALL}"}
        reply = httpx2.get(f"{process.url}/v1/files?limit=1", headers=headers, **LOCAL)

    assert reply.status_code == 200
    assert upstream.received("")[0].path == path


def test_nobody_has_them(upstream: Upstream) -> None:
    """Where no provider keeps files that is said, and where they are switched off that."""
    claude = {"kind": "anthropic", "base_url": upstream.url, "api_key": "k"}
    with running(Start({**configuration(claude=claude), "auth": {"required": False}, "keys": []})) as process:
        none = process.get("/v1/files")
    with running(Start({"providers": {"claude": claude}})) as process:
        off = process.get("/v1/batches")

    assert (error(none), error(off)) == ((400, "unsupported_feature"), (404, "not_found"))
    assert "files.enabled" in off.json()["error"]["suggestion"]
