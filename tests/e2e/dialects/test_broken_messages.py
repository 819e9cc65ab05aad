"""Streams that fail in the middle never look complete to Anthropic's official client."""

from __future__ import annotations

import threading
from typing import Any

import anthropic
import httpx2
import pytest

from tests.e2e.dialects.refusing import BEGUN, OVERLOADED
from tests.e2e.dialects.speaking import script
from tests.e2e.support.answers import dies, in_turn, streamed
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream

USER: Any = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("behind", BEGUN)
def test_stream_that_dies(claude: anthropic.Anthropic, upstream: Upstream, behind: str) -> None:
    """A stream that breaks is an exception behind the text that came; it never looks complete."""
    upstream.on("frail", dies(*BEGUN[behind]))
    seen: list[str] = []

    with (
        claude.messages.stream(model=f"{behind}/frail", max_tokens=9, messages=USER) as events,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        seen.extend(events.text_stream)

    assert seen == ["half of"]
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["error"]["details"] == {"error_code": "stream_broken"}


@pytest.mark.parametrize("behind", BEGUN)
def test_bytes_of_a_stream_that_dies(plain: httpx2.Client, upstream: Upstream, behind: str) -> None:
    """The last thing is the event `error`, and then the connection is torn: no `message_stop`, no proper end."""
    upstream.on("frail", dies(*BEGUN[behind]))
    body = {"model": f"{behind}/frail", "max_tokens": 9, "messages": USER, "stream": True}
    read: list[bytes] = []

    with (
        plain.stream("POST", "/v1/messages", json=body) as answer,
        pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"),
    ):
        read.extend(answer.iter_raw())

    events = b"".join(read).split(b"\n\n")
    assert events[0].startswith(b"event: message_start\n")
    assert events[-2].startswith(b"event: error\n")
    assert events[-1] == b""
    assert b"message_stop" not in b"".join(read)


def test_stream_without_an_end(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """A stream that ends in good order but without `message_stop` is an exception, too."""
    upstream.on("short", streamed(*BEGUN["anthropic"]))

    with (
        claude.messages.stream(model="anthropic/short", max_tokens=9, messages=USER) as events,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        events.until_done()

    assert isinstance(raised.value.body, dict)
    assert raised.value.body["error"]["details"] == {"error_code": "stream_broken"}


def test_error_in_the_middle(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """An error that the provider itself sends into a stream is told once, behind the text that came."""
    read = threading.Event()

    def torn(exchange: Exchange) -> None:
        exchange.begin()
        exchange.part(b"".join(BEGUN["anthropic"]))
        read.wait(LIMIT_S)
        exchange.part(OVERLOADED)
        exchange.end()

    upstream.on("torn", torn)

    with claude.messages.stream(model="anthropic/torn", max_tokens=9, messages=USER) as events:
        seen = [next(events.text_stream)]
        read.set()
        with pytest.raises(anthropic.APIStatusError) as raised:
            seen.extend(events.text_stream)

    assert seen == ["half of"]
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["error"]["details"] == {"error_code": "target_busy"}
    assert len(upstream.received("torn")) == 1


def test_error_before_the_text_is_tried_again(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """An error that comes instead of text is no answer yet: the next try may give one."""
    upstream.on("torn", in_turn(dies(BEGUN["anthropic"][0], OVERLOADED), script("anthropic", "text", stream=True)))

    with claude.messages.stream(model="anthropic/torn", max_tokens=9, messages=USER) as events:
        text = events.get_final_text()

    assert text == "Grüß dich 👋"
    assert len(upstream.received("torn")) == 2
