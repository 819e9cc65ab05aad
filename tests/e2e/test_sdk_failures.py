"""Failures raise, in the official Python SDK, what its user expects, and make it retry only where that helps."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.e2e.conftest import openai_client
from tests.e2e.support.answers import FINISH, ROLE, dies, in_turn, refused, stays, streamed, whole, word
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import Start, running

USER: Any = [{"role": "user", "content": "hi"}]


def test_bad_request(sdk: openai.OpenAI) -> None:
    """A wrong field is a BadRequestError that names the field."""
    with pytest.raises(openai.BadRequestError) as raised:
        sdk.chat.completions.create(model="sim/echo", messages=USER, temperature="hot")  # type: ignore[call-overload]

    assert (raised.value.param, raised.value.code) == ("temperature", "invalid_request")
    assert raised.value.type == "invalid_request_error"
    assert raised.value.request_id is not None


def test_bad_request_of_the_provider(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """What the provider refuses is told in its own words, with its own field."""
    upstream.on("picky", refused(400))

    with pytest.raises(openai.BadRequestError, match="The provider says no") as raised:
        sdk.chat.completions.create(model="box/picky", messages=USER)

    assert raised.value.param == "seed"
    assert raised.value.body is not None
    assert {"provider": "box", "source": "upstream"}.items() <= dict(raised.value.body).items()  # type: ignore[call-overload]


def test_unknown_model(sdk: openai.OpenAI) -> None:
    """An unknown model is a NotFoundError."""
    with pytest.raises(openai.NotFoundError, match="ekho") as raised:
        sdk.chat.completions.create(model="ekho", messages=USER)

    assert raised.value.code == "unknown_model"


def test_rate_limit_of_the_provider(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A provider that stays rate-limited is a RateLimitError, after the gateway's tries and no more than those."""
    upstream.on("busy", refused(429, headers=("retry-after-ms: 20",)))

    with pytest.raises(openai.RateLimitError) as raised:
        sdk.chat.completions.create(model="box/busy", messages=USER)

    assert raised.value.code == "target_rate_limited"
    assert raised.value.response.headers["retry-after"] == "1"
    assert raised.value.response.headers["retry-after-ms"] == "20"
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.received("busy")) == 3


def test_server_error_of_the_provider(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A provider that stays broken is an InternalServerError; the SDK adds no tries to those of the gateway."""
    upstream.on("broken", refused(500))

    with pytest.raises(openai.InternalServerError) as raised:
        sdk.chat.completions.create(model="box/broken", messages=USER)

    assert (raised.value.status_code, raised.value.code) == (502, "target_failed")
    assert "The provider says no" not in raised.value.message
    assert len(upstream.received("broken")) == 3


def test_sdk_retries_where_the_gateway_does_not(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A caller who switches the gateway's retries off gets those of the SDK."""
    upstream.on("broken", in_turn(refused(500), refused(500), whole()))

    answer = sdk.chat.completions.create(model="box/broken", messages=USER, extra_headers={"x-wizard-retries": "0"})

    assert answer.choices[0].message.content == "one two"
    assert len(upstream.received("broken")) == 3


def test_nobody_retries_what_cannot_help(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A provider that refuses the gateway's own key is asked once, and its caller is not told to authenticate."""
    upstream.on("locked", refused(401, "invalid_api_key"))

    with pytest.raises(openai.InternalServerError) as raised:
        sdk.chat.completions.create(model="box/locked", messages=USER)

    assert (raised.value.status_code, raised.value.code) == (502, "target_misconfigured")
    assert len(upstream.received("locked")) == 1


def test_gateway_hides_short_failures(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """Two failures in a row are gone before the SDK hears of any."""
    upstream.on("moody", in_turn(refused(503), dies(), whole()))

    raw = sdk.chat.completions.with_raw_response.create(model="box/moody", messages=USER)

    assert raw.headers["x-wizard-attempts"] == "3"
    assert len(upstream.received("moody")) == 3


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_failures_before_a_stream_are_exceptions_of_the_call(
    sdk: openai.OpenAI, upstream: Upstream, status: int
) -> None:
    """A stream that fails before it says anything fails like a whole answer: by the call itself."""
    upstream.on("mute", refused(status, headers=("retry-after-ms: 1",)))

    with pytest.raises(openai.APIStatusError) as raised:
        sdk.chat.completions.create(model="box/mute", messages=USER, stream=True)

    assert raised.value.status_code == (502 if status == 500 else status)


def test_failure_in_mid_stream(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A stream that breaks is an APIError behind the text that came; it never looks complete."""
    upstream.on("frail", dies(ROLE, word("half of")))
    seen: list[str | None] = []

    chunks = sdk.chat.completions.create(model="box/frail", messages=USER, stream=True)
    with pytest.raises(openai.APIError) as raised:
        seen.extend(chunk.choices[0].delta.content for chunk in chunks)

    assert seen == ["", "half of"]
    assert raised.value.code == "stream_broken"
    assert len(upstream.received("frail")) == 1


def test_stream_without_an_end(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A stream that ends in good order but without `[DONE]` is an APIError, too."""
    upstream.on("short", streamed(ROLE, word("all of it"), FINISH))

    with pytest.raises(openai.APIError) as raised:
        list(sdk.chat.completions.create(model="box/short", messages=USER, stream=True))

    assert raised.value.code == "stream_broken"


def test_connection_is_broken_behind_the_error(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A client that does not know error events gets a broken connection, not the end of an answer."""
    upstream.on("frail", dies(ROLE, word("half of")))
    lines: list[str] = []

    with (
        sdk.chat.completions.with_streaming_response.create(model="box/frail", messages=USER, stream=True) as raw,
        pytest.raises(Exception, match="incomplete chunked read"),
    ):
        lines.extend(raw.iter_lines())

    assert any(line.startswith('data: {"error"') for line in lines)
    assert "data: [DONE]" not in lines


def test_gateway_that_dies(upstream: Upstream) -> None:
    """A gateway that is killed in mid-stream is an APIConnectionError, not the end of an answer."""
    upstream.on("held", stays(ROLE, word("one")))
    box = {"kind": "openai", "base_url": upstream.url}

    with running(Start({"providers": {"box": box}})) as gateway, openai_client(f"{gateway.url}/v1") as client:
        chunks = client.chat.completions.create(model="box/held", messages=USER, stream=True)
        next(chunks)
        gateway.process.kill()

        with pytest.raises(openai.APIConnectionError):
            list(chunks)
