"""The usage of streams as clients, providers and operators meet it, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import DONE, FINISH, ROLE, streamed, word
from tests.e2e.support.upstream import Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34}}\n\n'
REFUSAL = b'{"error":{"message":"Unrecognized request argument: stream_options","type":"invalid_request_error"}}'


@pytest.fixture(scope="module")
def never(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that does not ask."""
    config = configuration(upstream)
    config["providers"]["box"]["usage_in_streams"] = "never"
    with running(Start(config)) as gateway:
        yield gateway


def ask(gateway: GatewayProcess, model: str, **fields: object) -> httpx2.Response:
    """Make one call for a stream."""
    body = {"model": f"box/{model}", "messages": [{"role": "user", "content": "hi"}], "stream": True, **fields}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, **LOCAL)


def options(body: bytes) -> Any:  # noqa: ANN401 - whatever stands there
    """Return the stream options of a request."""
    return msgspec.json.decode(body).get("stream_options")


def test_usage_is_counted_and_not_shown(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The provider is asked; the client sees what it would have seen without a gateway."""
    upstream.on("counted", streamed(ROLE, word("hello"), FINISH, USAGE, DONE))

    answer = ask(gateway, "counted")
    line = gateway.wait_for_log("request_completed", request_id=answer.headers["x-request-id"])

    (received,) = upstream.received("counted")
    assert options(received.body) == {"include_usage": True}
    assert answer.content == ROLE + word("hello") + FINISH + DONE
    assert (line["prompt_tokens"], line["completion_tokens"]) == (30, 4)


def test_who_asks_is_shown(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Byte for byte."""
    upstream.on("shown", streamed(ROLE, word("hello"), FINISH, USAGE, DONE))

    answer = ask(gateway, "shown", stream_options={"include_usage": True})

    assert answer.content == ROLE + word("hello") + FINISH + USAGE + DONE


def test_a_provider_that_does_not_know_the_field(upstream: Upstream) -> None:
    """It is asked again without it, within the same call, and not made to refuse it a second time."""
    config = {**configuration(upstream), "retry": {"max_attempts": 1}}

    def old_server(exchange: Exchange) -> None:
        if options(exchange.request.body):
            exchange.answer(REFUSAL, 400)
        else:
            streamed(ROLE, word("hello"), FINISH, DONE)(exchange)

    upstream.on("old", old_server)
    with running(Start(config)) as gateway:
        answers = [ask(gateway, "old") for _ in range(2)]
        asked = ask(gateway, "old", stream_options={"include_usage": True})

    assert [answer.content for answer in answers] == [ROLE + word("hello") + FINISH + DONE] * 2
    assert [options(received.body) is None for received in upstream.received("old")] == [False, True, True, False]
    assert (asked.status_code, asked.json()["error"]["source"]) == (400, "upstream")


def test_a_provider_need_not_be_asked(never: GatewayProcess, upstream: Upstream) -> None:
    """`usage_in_streams: never` leaves the request as it is."""
    upstream.on("unasked", streamed(ROLE, word("hello"), FINISH, DONE))

    ask(never, "unasked")

    (received,) = upstream.received("unasked")
    assert options(received.body) is None


@pytest.mark.parametrize("options", [None, {"include_usage": True}])
def test_completions_are_counted_as_well(
    gateway: GatewayProcess, upstream: Upstream, options: dict[str, bool] | None
) -> None:
    """A stream of `/v1/completions` is asked for its usage, and shows it to a client that asked."""
    words = b'data: {"choices":[{"index":0,"text":"hello","finish_reason":"stop"}]}\n\n'
    name = "legacy-shown" if options else "legacy"
    upstream.on(name, streamed(words, USAGE, DONE))
    body = {"model": f"box/{name}", "prompt": "hi", "stream": True, "stream_options": options}

    answer = httpx2.post(f"{gateway.url}/v1/completions", json=body, **LOCAL)
    line = gateway.wait_for_log("request_completed", request_id=answer.headers["x-request-id"])

    (received,) = upstream.received(name)
    assert msgspec.json.decode(received.body)["stream_options"] == {"include_usage": True}
    assert answer.content == words + (USAGE if options else b"") + DONE
    assert (line["prompt_tokens"], line["completion_tokens"]) == (30, 4)
