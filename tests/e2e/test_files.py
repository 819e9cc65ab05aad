"""Files and batches through the running gateway, driven by OpenAI's own SDK."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.conftest import PROVIDER_KEY, openai_client
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream, listening
from tests.support.gateway import GatewayProcess, Start, running

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
    """Run a gateway with two providers that have files, one of which has batches, and one that has neither."""
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
    with httpx2.Client(base_url=gateway.url, trust_env=False, timeout=LIMIT_S, headers=headers) as client:
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


def test_only_one_needs_no_telling(http: httpx2.Client, upstream: Upstream) -> None:
    """Of these providers one is known to have batches."""
    upstream.on("", keep)

    assert http.get("/v1/batches").headers["x-wizard-provider"] == "box"


@pytest.mark.parametrize(
    ("path", "provider", "expected", "said"),
    [
        ("/v1/files", None, (400, "invalid_request"), "box, second"),
        ("/v1/files", "third", (400, "unsupported_feature"), "'third' has no files"),
        ("/v1/batches", "second", (400, "unsupported_feature"), "'second' has no batches"),
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
    """Each address takes its own methods."""
    assert error(http.delete("/v1/files")) == (405, "method_not_allowed")
    assert error(http.put("/v1/batches/b")) == (405, "method_not_allowed")


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
        reply = httpx2.get(f"{process.url}/v1/files?limit=1", headers=headers, trust_env=False)

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
