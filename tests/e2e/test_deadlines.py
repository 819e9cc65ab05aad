"""Every limit of time, seen from outside: what ends, when, and which limit it was."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import openai
import pytest

from app.api.request_options import sdk_patience_s
from tests.e2e.support.answers import refused, whole
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

CHAT = "/v1/chat/completions"
TOTAL_S = 3


@pytest.fixture(scope="module")
def deaf_port() -> Iterator[int]:
    """Return a port that takes no more connections: its queue is full, so every further attempt hangs."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(16):
            client = opened.enter_context(socket.socket())
            client.settimeout(0.1)
            try:
                client.connect(server.getsockname())
            except TimeoutError:
                break
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def hasty(upstream: Upstream, deaf_port: int) -> Iterator[GatewayProcess]:
    """Run a gateway with short limits and without retries."""
    config = {
        "providers": {
            "sim": {"kind": "sim"},
            "box": {"kind": "openai", "base_url": upstream.url},
            "deaf": {"kind": "openai", "base_url": f"http://127.0.0.1:{deaf_port}/v1"},
        },
        "timeouts": {"connect_s": 0.2, "first_token_s": 1, "idle_s": 1, "total_s": TOTAL_S},
        "retry": {"max_attempts": 1},
    }
    with running(Start(config)) as process:
        yield process


@pytest.fixture(scope="module")
def patient() -> Iterator[GatewayProcess]:
    """Run a gateway that bounds only whole answers."""
    config = {
        "providers": {"sim": {"kind": "sim"}},
        "models": {"spared": {"targets": [{"provider": "sim", "model": "echo?hang=1"}], "fallbacks": ["sim/echo"]}},
        "timeouts": {"response_s": 0.5, "total_s": LIMIT_S},
        "retry": {"max_attempts": 1},
    }
    with running(Start(config)) as process:
        yield process


def ask(gateway: GatewayProcess, model: str, *, stream: bool = False, **headers: str) -> httpx2.Response:
    """Send a chat request; `read_timeout` and `retry_count` become the SDKs' own headers."""
    body = {"model": model, "messages": [{"role": "user", "content": "a b c d"}], "stream": stream}
    sent = {f"x-stainless-{name.replace('_', '-')}": value for name, value in headers.items()}
    return httpx2.post(gateway.url + CHAT, json=body, headers=sent, **LOCAL)


@pytest.mark.parametrize(
    ("model", "stream", "code", "setting"),
    [
        ("deaf/any", False, "timeout_connect", "timeouts.connect_s"),
        ("deaf/any", True, "timeout_connect", "timeouts.connect_s"),
        ("sim/words?head_s=0&first_token_s=60", True, "timeout_first_token", "timeouts.first_token_s"),
        ("sim/echo?hang=1", True, "timeout_first_token", "timeouts.first_token_s"),
        ("sim/echo?stall_after=1", False, "timeout_idle", "timeouts.idle_s"),
        ("sim/echo?hang=1", False, "timeout_total", "timeouts.total_s"),
    ],
)
def test_each_limit_has_its_own_name(hasty: GatewayProcess, model: str, stream: bool, code: str, setting: str) -> None:
    """Whatever takes too long ends as a 504 that says which limit it was, and which setting to look at."""
    answer = ask(hasty, model, stream=stream)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["kind"], error["source"]) == (504, code, "timeout", "gateway")
    assert setting in error["suggestion"]


def test_a_whole_answer_that_never_comes(patient: GatewayProcess) -> None:
    """It is a failure of its provider with a name of its own, and the next target still has time."""
    alone, spared, streamed = (
        ask(patient, "sim/echo?hang=1"),
        ask(patient, "spared"),
        ask(patient, "sim/echo?first_token_s=0.8", stream=True),
    )

    error = alone.json()["error"]
    assert (alone.status_code, error["code"], "timeouts.response_s" in error["suggestion"]) == (
        504,
        "timeout_response",
        True,
    )
    assert (spared.status_code, spared.headers["x-wizard-fallback"]) == (200, "1")
    assert (streamed.status_code, "[DONE]" in streamed.text) == (200, True)


def test_silence_in_a_running_stream_is_its_last_event(hasty: GatewayProcess) -> None:
    """Once the status is sent, the limit is named in the stream, which then breaks off."""
    with (
        httpx2.Client(**LOCAL) as client,
        client.stream(
            "POST",
            hasty.url + CHAT,
            json={
                "model": "sim/echo?stall_after=1",
                "messages": [{"role": "user", "content": "a b"}],
                "stream": True,
            },
        ) as answer,
    ):
        read: list[str] = []
        with pytest.raises(httpx2.RemoteProtocolError):
            read.extend(answer.iter_lines())

    assert answer.status_code == 200
    assert any('"code":"timeout_idle"' in line for line in read)


@pytest.mark.parametrize(
    ("given", "within"),
    [("0.25", "0.25 s"), ("0.25000", "0.25 s"), ("1", "1 s"), ("600", "3 s"), ("99999", "3 s")],
)
def test_no_work_for_an_sdk_that_has_given_up(hasty: GatewayProcess, given: str, within: str) -> None:
    """The SDK's own read timeout lowers the deadline of a whole answer, and never raises it."""
    error = ask(hasty, "sim/echo?hang=1", read_timeout=given).json()["error"]

    assert error["code"] == "timeout_total"
    assert error["message"] == f"No complete answer within {within}."


@pytest.mark.parametrize(
    "given", ["NOT_GIVEN", "None", "", "0", "0.0", "-1", "nan", "inf", "1e-3", "1_0", "0x1", ".1", "9" * 30, "0.1, 0.1"]
)
def test_silly_read_timeouts_are_ignored(hasty: GatewayProcess, given: str) -> None:
    """What is no sane number of seconds changes nothing."""
    answer = ask(hasty, "sim/echo?first_token_s=0.15", read_timeout=given)

    assert answer.status_code == 200


def test_a_stream_is_not_bound_by_the_read_timeout(hasty: GatewayProcess) -> None:
    """For a stream the SDK's timeout bounds the pauses, not the whole."""
    answer = ask(hasty, "sim/echo?tokens_per_s=10", stream=True, read_timeout="0.2")

    assert answer.status_code == 200
    assert answer.text.endswith("data: [DONE]\n\n")


def test_what_the_sdk_sends_is_understood(direct: openai.OpenAI, upstream: Upstream) -> None:
    """OpenAI's own client says how long it waits, in the form that is read here."""
    upstream.on("patient", whole())

    direct.with_options(timeout=12.5).chat.completions.create(
        model="patient", messages=[{"role": "user", "content": "hi"}]
    )

    sent = upstream.received("patient")[0].headers
    assert sdk_patience_s({name.encode(): value.encode() for name, value in sent.items()}) == 12.5
    assert sent["x-stainless-retry-count"] == "0"


@pytest.mark.parametrize(
    ("count", "tries", "told"),
    [("0", 3, "false"), ("1", 1, "true"), ("2", 1, "true"), ("-1", 3, "false"), ("", 3, "false"), ("x", 3, "false")],
)
def test_one_layer_retries(gateway: GatewayProcess, upstream: Upstream, count: str, tries: int, told: str) -> None:
    """While the SDK is retrying the gateway does not, and leaves the SDK to go on."""
    upstream.on("broken", refused(500))

    answer = ask(gateway, "box/broken", retry_count=count)

    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, told)
    assert len(upstream.received("broken")) == tries


def test_a_retrying_sdk_still_falls_back(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Other targets are tried all the same, each once."""
    upstream.on("first", refused(500))
    upstream.on("second", whole())

    answer = ask(gateway, "pair", retry_count="1")

    assert (answer.status_code, answer.headers["x-wizard-fallback"]) == (200, "1")
    assert len(upstream.received("first")) == 1


def test_the_list_of_retried_errors(upstream: Upstream) -> None:
    """`retry.errors` takes the place of the table: what is listed is retried, and nothing else."""
    config = {
        "providers": {"box": {"kind": "openai", "base_url": upstream.url}},
        "retry": {"errors": [409, "rate_limit"], "base_s": 0.01, "max_s": 0.01},
    }
    for model, status in (("conflicting", 409), ("limited", 429), ("broken", 500)):
        upstream.on(model, refused(status))

    with running(Start(config)) as gateway:
        told = {model: ask(gateway, f"box/{model}") for model in ("conflicting", "limited", "broken")}

    tries = {model: len(upstream.received(model)) for model in told}
    assert tries == {"conflicting": 3, "limited": 3, "broken": 1}
    assert told["broken"].headers["x-should-retry"] == "true"
