"""What operators see: health, metrics, logs and the description of the API."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import httpx2
import msgspec
import pytest

from app import __version__
from tests.e2e.support.answers import refused, whole
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import GatewayProcess

CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": "a b c"}]


@pytest.fixture
def used(http: httpx2.Client, upstream: Upstream) -> str:
    """Let the gateway live through one call of each sort, and return the metrics after that."""
    upstream.on("first", refused(500))
    upstream.on("second", whole())
    http.post(CHAT, json={"model": "pair", "messages": USER})
    http.post(CHAT, json={"model": "box/first", "messages": USER})
    counted = {"model": "sim/echo?tokens_per_s=200", "messages": USER}
    http.post(CHAT, json={**counted, "stream": True, "stream_options": {"include_usage": True}})
    http.post(CHAT, content=b"{")
    text: str = http.get("/metrics").text
    return text


@pytest.mark.parametrize("path", ["/readyz", "/health"])
def test_ready(http: httpx2.Client, path: str) -> None:
    """Readiness tells the version and which configuration is in force."""
    answer = http.get(path)

    told = answer.json()
    assert (answer.status_code, told["status"], told["version"]) == (200, "ready", __version__)
    assert len(told["config_digest"]) == 16


def test_alive(http: httpx2.Client) -> None:
    """Liveness depends on nothing."""
    answer = http.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive", "version": __version__})


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        ("counter", "wizard_requests_total", ["provider", "model", "status"]),
        ("histogram", "wizard_request_duration_seconds", ["provider", "model"]),
        ("histogram", "wizard_overhead_seconds", []),
        ("histogram", "wizard_time_to_first_token_seconds", ["provider", "model"]),
        ("counter", "wizard_tokens_total", ["provider", "model", "type"]),
        ("counter", "wizard_retry_attempts_total", ["provider", "error_kind"]),
        ("counter", "wizard_fallbacks_total", ["from", "to", "reason"]),
        ("gauge", "wizard_active_requests", []),
        ("gauge", "wizard_streams_active", []),
        ("histogram", "wizard_stream_tokens_per_second", []),
        ("histogram", "wizard_stream_longest_gap_seconds", []),
    ],
)
def test_metrics_have_the_names_of_the_contract(used: str, kind: str, name: str, labels: list[str]) -> None:
    """Each metric that has a meaning by now is there, under its name, with its labels and no others."""
    sample = f"{name}_count" if kind == "histogram" else name
    lines = [line for line in used.splitlines() if re.match(rf"{sample}[{{ ]", line)]

    assert f"# TYPE {name} {kind}" in used
    assert lines
    assert {tuple(sorted(re.findall(r'(\w+)="', line))) for line in lines} == {tuple(sorted(labels))}


def test_metrics_count(http: httpx2.Client, gateway: GatewayProcess, upstream: Upstream) -> None:
    """One call adds one, and its tokens."""
    upstream.on("counted", whole())
    target = {"provider": "box", "model": "counted"}
    series = {
        "wizard_requests_total": {"status": "200"},
        "wizard_request_duration_seconds_count": {},
        "wizard_tokens_total": {"type": "completion"},
    }
    before = [gateway.metric(name, **target, **labels) for name, labels in series.items()]

    http.post(CHAT, json={"model": "box/counted", "messages": USER})

    after = [gateway.metric(name, **target, **labels) for name, labels in series.items()]
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1, 2]


def test_metrics_of_other_routes(http: httpx2.Client) -> None:
    """The routes beside the calls are counted, too, by their pattern and not by what callers ask for."""
    http.get("/v1/models/sim/echo")

    text = http.get("/metrics").text

    assert 'handler="/v1/models/{model_id:path}"' in text or 'handler="/v1/models/{model_id}"' in text
    assert "sim/echo?" not in text


def test_metrics_are_text_for_prometheus(http: httpx2.Client) -> None:
    """The exposition has the content type that Prometheus wants, also in OpenMetrics."""
    plain = http.get("/metrics")
    opened = http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")


def test_logs_a_call(http: httpx2.Client, gateway: GatewayProcess) -> None:
    """A call is told from its beginning to its end under its id."""
    http.post(CHAT, json={"model": "sim/echo", "messages": USER}, headers={"x-request-id": "logged-1"})

    gateway.wait_for_log("request_completed", request_id="logged-1")

    lines = [line for line in gateway.logs() if line.get("request_id") == "logged-1"]
    assert [line["event"] for line in lines] == ["request_started", "request_completed"]
    assert {"status": 200, "provider": "sim", "target_model": "echo", "attempts": 1}.items() <= lines[1].items()


def test_logs_a_stream_with_trouble(http: httpx2.Client, gateway: GatewayProcess) -> None:
    """Retries, the begin of a stream and its end are events of their own."""
    body = {"model": "sim/echo?times=1&id=log", "messages": USER, "stream": True}

    http.post(CHAT, json=body, headers={"x-request-id": "logged-2"})

    gateway.wait_for_log("stream_completed", request_id="logged-2")
    events = [line["event"] for line in gateway.logs() if line.get("request_id") == "logged-2"]
    assert events == ["request_started", "retry_attempt", "stream_started", "request_completed", "stream_completed"]


def test_logs_a_fallback(http: httpx2.Client, gateway: GatewayProcess, upstream: Upstream) -> None:
    """A change of target is told with both names and the reason."""
    upstream.on("first", refused(503))
    upstream.on("second", whole())

    http.post(CHAT, json={"model": "pair", "messages": USER}, headers={"x-request-id": "logged-3"})

    line = gateway.wait_for_log("fallback_triggered", request_id="logged-3")
    assert (line["from"], line["to"], line["reason"]) == ("box/first", "box/second", "target_busy")


def test_every_log_line_is_an_object(http: httpx2.Client, gateway: GatewayProcess) -> None:
    """Below the banner there is nothing but JSON, one object a line; nothing goes to the error output."""
    http.post(CHAT, json={"model": "sim/echo", "messages": USER}, headers={"x-request-id": "logged-4"})
    gateway.wait_for_log("request_completed", request_id="logged-4")

    lines = gateway.stdout.text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("{"))

    objects: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines[first:]]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in objects)
    assert gateway.stderr.text == ""


def test_nothing_went_wrong_inside(gateway: GatewayProcess) -> None:
    """No test so far has made the gateway report a fault of its own, or the server or the loop an error."""
    faults = [line for line in gateway.logs() if line["event"] in {"internal_fault", "server_log"}]

    assert faults == []


def test_describes_its_api(http: httpx2.Client) -> None:
    """The OpenAPI document is valid JSON and holds every route, the hot ones with their bodies."""
    document = http.get("/openapi.json").json()

    assert document["openapi"].startswith("3.")
    paths = document["paths"]
    assert {
        CHAT,
        "/v1/generate",
        "/v1/models",
        "/v1/models/{model_id}",
        "/livez",
        "/readyz",
        "/metrics",
    } <= paths.keys()
    for path, required in (
        (CHAT, ["model", "messages"]),
        ("/v1/generate", ["model"]),
        ("/v1/messages", ["model", "messages", "max_tokens"]),
        ("/v1/messages/count_tokens", ["model", "messages"]),
        ("/v1/responses", ["model"]),
    ):
        described = paths[path]["post"]
        assert described["requestBody"]["content"]["application/json"]["schema"]["required"] == required
        assert {"200", "4XX", "5XX"} <= described["responses"].keys()


def test_shows_its_documentation(http: httpx2.Client) -> None:
    """/docs is a page that loads the description, and everything else too from the gateway itself."""
    page = http.get("/docs")

    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    answers = [http.get(path) for path in loaded]
    assert (page.status_code, 'url: "/openapi.json"' in page.text, "//" in page.text) == (200, True, False)
    assert [(answer.status_code, answer.headers["content-type"].partition(";")[0]) for answer in answers] == [
        (200, "text/css"),
        (200, "text/javascript"),
    ]
    assert "SwaggerUIBundle" in answers[1].text


def test_the_documentation_does_what_is_written_in_it_only(http: httpx2.Client) -> None:
    """The policy of the page allows the gateway's own scripts, and the one that is inline by its hash."""
    page = http.get("/docs")

    (inline,) = re.findall(r"<script>(.*?)</script>", page.text)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", f"script-src 'self' 'sha256-{digest}'", "frame-ancestors 'none'"} <= {*policy}
    assert not any("unsafe" in rule or "http" in rule for rule in policy)


@pytest.mark.parametrize("path", ["/docs/favicon.png", "/docs/../__init__.py", "/docs/%2e%2e%2fcore.py", "/redoc"])
def test_the_documentation_has_no_other_files(http: httpx2.Client, path: str) -> None:
    """Of the package that carries them only what the page needs is shown."""
    assert http.get(path).status_code == 404
