"""Traces as a collector receives them."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import DONE, FINISH, ROLE, in_turn, refused, streamed, whole, word
from tests.e2e.support.collector import Collector, collecting, collecting_grpc, tree
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running

CHAT = "/v1/chat/completions"
CANARY = "canary-prompt-7f3a"
USER = [{"role": "user", "content": CANARY}]
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


def traced(upstream: Upstream, collector: Collector, **tracing: object) -> dict[str, Any]:
    """Return the configuration of a gateway that exports spans."""
    section = {"enabled": True, "endpoint": collector.url, **tracing}
    return {**configuration(upstream), "tracing": section, "admin": {"token": "t"}}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with collecting() as running_collector:
        yield running_collector


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, collector: Collector) -> Iterator[GatewayProcess]:
    """Run a gateway that traces every call."""
    config = traced(
        upstream, collector, headers={"x-collector-key": "k-1"}, attributes={"deployment.environment.name": "test"}
    )
    with running(Start(config, variables=QUICK)) as process:
        yield process


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to that gateway."""
    with httpx2.Client(base_url=gateway.url, **LOCAL) as client:
        yield client


def test_the_tree_of_a_simple_call(http: httpx2.Client, collector: Collector, upstream: Upstream) -> None:
    """A call that goes well the first time has four spans: the call, its limits, the request, and the try."""
    upstream.on("simple", whole())

    body = {"model": "box/simple", "messages": USER, "temperature": 0.5, "max_tokens": 7}
    http.post(CHAT, json=body, headers={"x-request-id": "traced-1"})

    spans = collector.trace_of("traced-1")
    assert tree(spans) == [
        "wizard.generate",
        "  wizard.rate_limit.acquire",
        "  wizard.provider.request",
        "    wizard.retry.attempt",
    ]
    root, _, _, attempt = spans
    assert (root.kind, attempt.kind, root.failed, root.parent_id) == ("SERVER", "CLIENT", False, "")
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "box/simple",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.response.model": "simple",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "wizard.attempts": 1,
        "wizard.fallback.position": 0,
    }.items() <= root.attributes.items()
    assert {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "simple",
        "server.address": "127.0.0.1",
        "wizard.attempt": 1,
        "gen_ai.usage.output_tokens": 2,
    }.items() <= attempt.attributes.items()
    assert attempt.attributes["server.port"] == int(re.findall(r":(\d+)", upstream.url)[0])


def test_the_tree_of_a_retried_and_fallen_back_stream(
    http: httpx2.Client, collector: Collector, upstream: Upstream
) -> None:
    """Each try is a span; those of a further target stand under one that names it; all last as long as they should."""
    upstream.on("first", refused(500))
    upstream.on("second", in_turn(refused(503), streamed(ROLE, word("one"), word("two"), FINISH, DONE)))

    body = {"model": "pair", "messages": USER, "stream": True}
    answer = http.post(CHAT, json=body, headers={"x-request-id": "traced-2"})

    assert answer.text.endswith("[DONE]\n\n")
    spans = collector.trace_of("traced-2")
    assert tree(spans) == [
        "wizard.generate",
        "  wizard.rate_limit.acquire",
        "  wizard.provider.request",
        "    wizard.retry.attempt",
        "    wizard.retry.attempt",
        "    wizard.retry.attempt",
        "    wizard.fallback.try_model",
        "      wizard.retry.attempt",
        "      wizard.retry.attempt",
    ]
    root, _, request, *tries = spans
    attempts = [span for span in tries if span.name == "wizard.retry.attempt"]
    assert [span.attributes["wizard.attempt"] for span in attempts] == [1, 2, 3, 1, 2]
    assert [span.attributes["gen_ai.request.model"] for span in attempts] == ["first"] * 3 + ["second"] * 2
    assert [span.attributes.get("error.type") for span in attempts] == [
        *["target_failed"] * 3,
        "target_busy",
        None,
    ]
    assert [span.attributes.get("http.response.status_code") for span in attempts] == [500, 500, 500, 503, None]
    assert [span.failed for span in attempts] == [True] * 4 + [False]
    assert {"wizard.attempts": 5, "wizard.fallback.position": 1, "gen_ai.request.stream": True}.items() <= (
        root.attributes.items()
    )
    assert root.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert all(root.start <= span.start <= span.end <= root.end for span in spans)
    assert all(span.start <= attempts[-1].end <= request.end for span in tries)


def test_a_call_that_fails_says_why(http: httpx2.Client, collector: Collector, upstream: Upstream) -> None:
    """The code of the error is there, and never its words; who asked wrongly has not made the gateway fail."""
    upstream.on("broken", refused(500))
    upstream.on("picky", refused(400))
    for name in ("broken", "picky"):
        http.post(CHAT, json={"model": f"box/{name}", "messages": USER}, headers={"x-request-id": f"traced-{name}"})

    failed, wrong = collector.trace_of("traced-broken")[0], collector.trace_of("traced-picky")[0]

    assert (failed.failed, failed.attributes["error.type"]) == (True, "target_failed")
    assert (wrong.failed, wrong.attributes["error.type"]) == (False, "invalid_request")


def test_a_client_that_left_is_no_failure(http: httpx2.Client, collector: Collector) -> None:
    """The trace of an abandoned call ends, and says so."""
    with http.stream(
        "POST",
        CHAT,
        json={"model": "sim/echo?tokens_per_s=5", "messages": [{"role": "user", "content": "a " * 50}], "stream": True},
        headers={"x-request-id": "traced-left", "connection": "close"},
    ) as answer:
        next(answer.iter_raw())

    root = collector.trace_of("traced-left")[0]
    assert (root.failed, root.attributes["error.type"]) == (False, "client_closed")


def test_the_context_of_the_caller_goes_on(http: httpx2.Client, collector: Collector, upstream: Upstream) -> None:
    """The call belongs to the caller's trace, and the provider is told of the try that it answers."""
    upstream.on("context", whole())

    http.post(
        CHAT,
        json={"model": "box/context", "messages": USER},
        headers={"x-request-id": "traced-3", "traceparent": SAMPLED, "tracestate": "vendor=1"},
    )

    spans = collector.trace_of("traced-3")
    sent = upstream.received("context")[-1].headers
    assert {span.trace_id for span in spans} == {"0af7651916cd43dd8448eb211c80319c"}
    assert spans[0].parent_id == "b7ad6b7169203331"
    assert sent["traceparent"] == f"00-{spans[0].trace_id}-{spans[-1].span_id}-01"
    assert sent["tracestate"] == "vendor=1"


def test_a_caller_that_is_not_sampled_is_left_alone(
    http: httpx2.Client, collector: Collector, upstream: Upstream
) -> None:
    """Its header travels on as it came, and nothing is exported."""
    upstream.on("context", whole())
    upstream.on("mark", whole())

    http.post(CHAT, json={"model": "box/context", "messages": USER}, headers={"traceparent": UNSAMPLED})
    http.post(CHAT, json={"model": "box/mark", "messages": USER}, headers={"x-request-id": "traced-4"})

    collector.trace_of("traced-4")
    assert upstream.received("context")[-1].headers["traceparent"] == UNSAMPLED
    assert not [span for span in collector.spans() if span.trace_id == UNSAMPLED[3:35]]


@pytest.mark.parametrize(
    "nonsense", ["00-1-2-01", f"{SAMPLED}-more", f"ff{SAMPLED[2:]}", "00-" + "0" * 32 + SAMPLED[35:]]
)
def test_a_context_that_is_none_is_not_believed(
    http: httpx2.Client, collector: Collector, upstream: Upstream, nonsense: str
) -> None:
    """A new trace begins, and its id replaces the nonsense on the way to the provider."""
    upstream.on("context", whole())
    request_id = f"traced-n{len(nonsense)}{nonsense[:2]}"

    http.post(
        CHAT,
        json={"model": "box/context", "messages": USER},
        headers={"x-request-id": request_id, "traceparent": nonsense},
    )

    spans = collector.trace_of(request_id)
    assert spans[0].parent_id == ""
    assert upstream.received("context")[-1].headers["traceparent"].split("-")[1] == spans[0].trace_id


def test_the_trace_is_named_elsewhere(http: httpx2.Client, gateway: GatewayProcess, collector: Collector) -> None:
    """The line of the request and the example of the duration lead to the trace."""
    http.post(CHAT, json={"model": "sim/echo?id=named", "messages": USER}, headers={"x-request-id": "traced-5"})

    trace_id = collector.trace_of("traced-5")[0].trace_id
    line = gateway.wait_for_log("request_completed", request_id="traced-5")
    metrics = http.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    assert line["trace_id"] == trace_id
    assert f'# {{trace_id="{trace_id}"}}' in metrics


def test_routes_beside_the_calls_make_spans(http: httpx2.Client, collector: Collector) -> None:
    """A route of the administration is traced by its pattern; probes and scrapes are not."""
    http.get("/readyz")
    http.get("/metrics")
    http.get("/v1/models/sim/echo")

    eventually(lambda: collector.spans(http__route="/v1/models/{model_id:path}"), "the route made no span")
    assert not [span for span in collector.spans() if span.name.endswith(("/readyz", "/metrics", "http send"))]
    assert not [span for span in collector.spans() if CHAT in span.name]


def test_exports_say_who_sends(http: httpx2.Client, collector: Collector) -> None:
    """The resource has name and version; the configured headers are sent, and are nowhere else."""
    http.post(CHAT, json={"model": "sim/echo", "messages": USER}, headers={"x-request-id": "traced-6"})

    (span, *_) = collector.trace_of("traced-6")
    assert span.resource["service.name"] == "wizard"
    assert span.resource["service.version"]
    assert span.resource["deployment.environment.name"] == "test"
    assert all(headers["x-collector-key"] == "k-1" for headers in collector.headers)


def test_no_export_holds_content(http: httpx2.Client, collector: Collector, upstream: Upstream) -> None:
    """Neither prompts nor answers nor keys are in anything that was exported by any test above."""
    upstream.on("simple", whole())
    http.post(CHAT, json={"model": "box/simple", "messages": USER}, headers={"x-request-id": "traced-7"})
    collector.trace_of("traced-7")

    exported = b"".join(collector.raw)
    for secret in (CANARY.encode(), b"one two", b"sk-canary-of-the-provider", b"The provider says no"):
        assert secret not in exported


def test_nothing_went_wrong_inside(gateway: GatewayProcess) -> None:
    """No test so far has made the gateway report a fault of its own."""
    assert [line for line in gateway.logs() if line["event"] in {"internal_fault", "server_log"}] == []


def test_limits_and_the_cache_have_their_spans(upstream: Upstream) -> None:
    """What was asked before an answer was asked for, and what was kept of it; a hit asks nobody."""
    upstream.on("stored", whole())
    upstream.on("stored-stream", streamed(ROLE, word("one"), FINISH, DONE))
    with collecting() as collector:
        sections = {
            "cache": {"enabled": True},
            "limits": [{"name": "everyone", "per": "global", "requests": 1000, "window_s": 1}],
            "admission": {"max_in_flight": 10},
        }
        with running(Start({**traced(upstream, collector), **sections}, variables=QUICK)) as process:
            for model, stream in (("stored", False), ("stored-stream", True)):
                for turn in ("miss", "hit"):
                    body = {"model": f"box/{model}", "messages": USER, "stream": stream}
                    headers = {"x-request-id": f"{model}-{turn}"}
                    httpx2.post(process.url + CHAT, json=body, headers=headers, **LOCAL)

            for model in ("stored", "stored-stream"):
                missed, hit = collector.trace_of(f"{model}-miss"), collector.trace_of(f"{model}-hit")
                assert sorted(tree(missed)) == sorted(
                    [
                        "wizard.generate",
                        "  wizard.rate_limit.acquire",
                        "  wizard.cache.lookup",
                        "  wizard.admission.acquire",
                        "  wizard.provider.request",
                        "    wizard.retry.attempt",
                        "  wizard.cache.store",
                    ]
                )
                assert tree(hit) == ["wizard.generate", "  wizard.rate_limit.acquire", "  wizard.cache.lookup"]
                assert [trace[0].attributes["wizard.cache"] for trace in (missed, hit)] == ["miss", "hit"]
            assert [line for line in process.logs() if line["event"] == "server_log"] == []


def test_spans_over_grpc(upstream: Upstream) -> None:
    """The other protocol carries the same spans, and what is left is sent at the end."""
    with collecting_grpc() as collector:
        config = traced(upstream, collector, protocol="grpc", service_name="edge")
        with running(Start(config)) as process:
            process.ask("sim/echo")

        (root, *_) = [span for span in collector.spans() if span.name == "wizard.generate"]
        assert root.resource["service.name"] == "edge"


def test_a_share_of_the_calls(upstream: Upstream) -> None:
    """With a ratio of zero only callers decide; where they are not followed, nobody does."""
    with collecting() as collector:
        for follow, expected in ((True, 1), (False, 0)):
            config = traced(upstream, collector, sample_ratio=0, follow_caller=follow)
            with running(Start(config)) as process:
                process.ask("sim/echo")
                headers = {"traceparent": SAMPLED}
                body = {"model": "sim/echo", "messages": USER}
                httpx2.post(process.url + CHAT, json=body, headers=headers, **LOCAL)

            assert len([span for span in collector.spans() if span.name == "wizard.generate"]) == expected
            collector.forget()


def test_a_collector_that_is_away_costs_spans_not_calls(upstream: Upstream) -> None:
    """Calls are answered as ever, the loss is counted, and the gateway ends in good time."""
    config = {**configuration(upstream), "tracing": {"enabled": True, "endpoint": "http://127.0.0.1:1", "timeout_s": 1}}
    with running(Start(config, variables=QUICK)) as process:
        assert process.ask("sim/echo").status_code == 200
        eventually(lambda: process.metric("wizard_telemetry_errors_total", part="spans") > 0, "no loss was counted")


def reload_with(process: GatewayProcess, config: dict[str, Any], times: int) -> None:
    """Let the gateway read another configuration; `times` counts how often that was done."""
    process.write_config(config)
    process.send_signal(signal.SIGHUP)
    eventually(
        lambda: [line["event"] for line in process.logs()].count("config_reloaded") == times, "nothing was reloaded"
    )


def test_tracing_can_be_switched_on_by_a_reload(upstream: Upstream) -> None:
    """The new pipeline makes spans; switched off again it makes none."""
    with collecting() as collector:
        off = configuration(upstream)
        with running(Start(off, variables=QUICK)) as process:
            process.ask("sim/echo")
            reload_with(process, traced(upstream, collector), 1)
            process.ask("sim/echo")
            eventually(collector.spans, "no span was exported")
            reload_with(process, off, 2)
            process.ask("sim/echo")

        assert len([span for span in collector.spans() if span.name == "wizard.generate"]) == 1


def test_without_tracing_nothing_of_it_is_imported(upstream: Upstream) -> None:
    """Whoever does not trace does not wait for OpenTelemetry at the start, nor keep it in memory."""
    with running(Start(configuration(upstream), variables={"PYTHONPROFILEIMPORTTIME": "1"})) as process:
        process.ask("sim/echo")

    assert "app.telemetry.logs" in process.stderr.text
    assert "opentelemetry.sdk" not in process.stderr.text
