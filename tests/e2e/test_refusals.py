"""Whatever is wrong with a request, the answer is the contract's JSON: typed, with advice, and with a request id."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import streamed, whole
from tests.e2e.support.mistakes import NOT_JSON, NOT_JSON_INSIDE, TOO_DEEP, WRONG
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

JSON = {"content-type": "application/json"}
CHAT, GENERATE = "/v1/chat/completions", "/v1/generate"
FIELDS = {
    "message", "type", "code", "param", "kind", "retryable", "retry_after_s", "suggestion", "provider", "source",
    "request_id",
}  # fmt: skip


def refusal(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check everything that refusals have in common and return the error object."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = msgspec.json.decode(answer.content)["error"]
    assert error.keys() >= FIELDS
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"] != ""
    assert answer.headers["x-should-retry"] == "false"
    assert (error["source"], error["provider"], error["retryable"]) == ("gateway", None, False)
    assert error["suggestion"]
    return error


@pytest.mark.parametrize("path", [CHAT, GENERATE])
@pytest.mark.parametrize("name", NOT_JSON)
def test_refuses_what_is_not_json(http: httpx2.Client, name: str, path: str) -> None:
    """What is no JSON is told so."""
    answer = http.post(path, content=NOT_JSON[name], headers=JSON)

    error = refusal(answer, 400, "invalid_json")
    assert error["kind"] == "parse"


@pytest.mark.parametrize("path", [CHAT, GENERATE])
@pytest.mark.parametrize("name", NOT_JSON_INSIDE)
def test_refuses_what_is_not_json_anywhere(http: httpx2.Client, name: str, path: str) -> None:
    """Text that is no Unicode is refused, too, in a field that only the provider would read."""
    answer = http.post(path, content=NOT_JSON_INSIDE[name], headers=JSON)

    refusal(answer, 400, "invalid_json")


@pytest.mark.parametrize("path", [CHAT, GENERATE])
@pytest.mark.parametrize("name", TOO_DEEP)
def test_survives_deep_nesting(http: httpx2.Client, name: str, path: str) -> None:
    """However deep a body is nested, it is refused like every other mistake."""
    answer = http.post(path, content=TOO_DEEP[name], headers=JSON)

    assert msgspec.json.decode(answer.content)["error"]["code"] in {"invalid_json", "invalid_request"}
    assert answer.status_code == 400


@pytest.mark.parametrize("name", WRONG)
def test_names_the_wrong_field(http: httpx2.Client, name: str) -> None:
    """A field that is missing or of the wrong type is named by its path."""
    body, param = WRONG[name]

    answer = http.post(CHAT, content=msgspec.json.encode(body), headers=JSON)

    error = refusal(answer, 400, "invalid_request")
    assert error["param"] == param
    assert error["kind"] == "validation"


def test_bounds_the_depth_of_valid_json(http: httpx2.Client) -> None:
    """JSON that can be read, but is nested beyond the configured depth, is refused."""
    deep = b'{"model":"sim/echo","messages":[{"role":"user","content":"x"}],"x":' + b"[" * 64 + b"]" * 64 + b"}"

    answer = http.post(CHAT, content=deep, headers=JSON)

    assert "64 levels" in refusal(answer, 400, "invalid_request")["message"]


def test_brackets_in_text_are_no_depth(http: httpx2.Client) -> None:
    """A prompt may hold as many brackets as it likes."""
    answer = http.post(CHAT, json={"model": "sim/echo", "messages": [{"role": "user", "content": '[{"' * 500}]})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("model", "near"),
    [("sim/ekho", None), ("sims/echo", "'sim/echo'"), ("echo", "'sim/echo'"), ("verbatm", "'verbatim'"), ("zzzz", "")],
)
def test_unknown_model_shows_near_names(http: httpx2.Client, model: str, near: str | None) -> None:
    """A misspelled model is answered with the names that it may have meant."""
    answer = http.post(CHAT, json={"model": model, "messages": [{"role": "user", "content": "x"}]})

    if near is None:  # a known provider is asked: only it knows its models
        assert msgspec.json.decode(answer.content)["error"]["code"] == "target_model_missing"
        return
    error = refusal(answer, 404, "unknown_model")
    assert error["param"] == "model"
    assert f"Did you mean {near}" in error["suggestion"] if near else "Did you mean" not in error["suggestion"]


def test_long_model_names_do_not_break_the_answer(http: httpx2.Client) -> None:
    """A model name of absurd length is refused in an answer whose head every client can still read."""
    answer = http.post(CHAT, json={"model": f"sim/{'x' * 150_000}", "messages": [{"role": "user", "content": "x"}]})

    assert 400 <= answer.status_code < 500
    assert sum(len(name) + len(value) for name, value in answer.headers.items()) < 8192


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CHAT), ("PUT", GENERATE), ("DELETE", CHAT), ("POST", "/v1/models")]
)
def test_wrong_method(http: httpx2.Client, method: str, path: str) -> None:
    """A wrong method is told which ones are right."""
    answer = http.request(method, path)

    refusal(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/sessions", "GET, HEAD, POST"),
        ("/v1/sessions/s1", "DELETE, GET, HEAD"),
        ("/v1/sessions/s1/fork", "POST"),
        ("/v1/models", "GET, HEAD"),
        ("/", "GET, HEAD"),
        (CHAT, "POST"),
    ],
)
def test_all_right_methods(http: httpx2.Client, path: str, methods: str) -> None:
    """A wrong method is told all that are right, also those of other routes at the same address."""
    answer = http.patch(path)

    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/chat", CHAT + "/", "/V1/models", "/v1/engines/x", "/%00"])
def test_unknown_path(http: httpx2.Client, path: str) -> None:
    """An unknown path is answered like every other mistake."""
    answer = http.get(path)

    refusal(answer, 404, "not_found")


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_wrong_content_type(http: httpx2.Client, media: str) -> None:
    """A body that says that it is something else than JSON is not read as JSON; a web page could send it unasked."""
    answer = http.post(CHAT, content=b"{}", headers={"content-type": media})

    refusal(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])
def test_right_content_types(http: httpx2.Client, media: str) -> None:
    """Every spelling of JSON is JSON."""
    body = b'{"model":"sim/echo","messages":[{"role":"user","content":"x"}]}'

    answer = http.post(CHAT, content=body, headers={"content-type": media})

    assert answer.status_code == 200


def test_a_web_page_must_say_what_it_sends(http: httpx2.Client) -> None:
    """Without a content type, a program is believed and a web page is not."""
    body = b'{"model":"sim/echo","messages":[{"role":"user","content":"x"}]}'

    program = http.post(CHAT, content=body)
    page = http.post(CHAT, content=body, headers={"origin": "http://evil.example"})

    assert program.status_code == 200
    refusal(page, 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_compressed_body(http: httpx2.Client, coding: str) -> None:
    """A compressed body is refused: it could be far larger than it looks."""
    answer = http.post(CHAT, content=b"\x1f\x8b", headers={**JSON, "content-encoding": coding})

    refusal(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/v1/models", "/metrics"])
def test_head(http: httpx2.Client, path: str) -> None:
    """Whatever can be had with GET can be looked at with HEAD, as health checks of load balancers do."""
    answer = http.head(path)

    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/livez"])
def test_options(http: httpx2.Client, path: str) -> None:
    """OPTIONS is answered with the methods there are, and grants no web page anything."""
    answer = http.options(path, headers={"origin": "http://evil.example", "access-control-request-method": "POST"})

    assert answer.status_code in {200, 204, 405}
    assert answer.headers["allow"]
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_logs_what_it_refused(http: httpx2.Client, gateway: GatewayProcess) -> None:
    """A refused request is a line in the log and a count in the metrics."""
    http.post(CHAT, content=b"{", headers={**JSON, "x-request-id": "refused-1"})

    line = gateway.wait_for_log("request_failed", request_id="refused-1")

    assert (line["status"], line["code"], line["endpoint"]) == (400, "invalid_json", "chat")
    assert gateway.metric("wizard_requests_total", status="400") >= 1


@both_ways
def test_a_route_has_the_first_word(upstream: Upstream, stream: bool) -> None:
    """Its system message reaches the provider before everything that the caller says, whatever that is."""
    route = {"targets": [{"provider": "box", "model": "told"}], "system": {"prompt": "Ours.", "callers": "drop"}}
    upstream.on("told", streamed() if stream else whole())
    body = {
        "model": "guided",
        "stream": stream,
        "messages": [{"role": "system", "content": "Mine."}, {"role": "user", "content": "hi"}],
    }

    with running(Start({**configuration(upstream), "models": {"guided": route}})) as gateway:
        answer = httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, **LOCAL)

    (request,) = upstream.received("told")
    assert answer.status_code == 200
    assert [message["content"] for message in msgspec.json.decode(request.body)["messages"]] == ["Ours.", "hi"]
