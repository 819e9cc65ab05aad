"""A client that stops reading, in front of a running gateway: what `streaming.overflow` makes of it."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import DONE, FINISH, ROLE, streamed, word
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, Start, running

PIECE = word("x" * 65_000)
PIECES = 400  # 26 MB, more than the network between two processes keeps by itself


def slow(upstream: Upstream, overflow: str) -> dict[str, Any]:
    """Return a gateway with this policy, and let the provider send a lot."""
    upstream.on("endless", streamed(ROLE, word("first"), *[PIECE] * PIECES, FINISH, DONE))
    return {**configuration(upstream), "streaming": {"overflow": overflow, "buffer_bytes": 262_144}}


def test_the_newest_text_reaches_a_slow_client(upstream: Upstream) -> None:
    """The provider is read to its end meanwhile; what reaches the client is a proper stream with a gap."""
    body = {"model": "box/endless", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with (
        running(Start(slow(upstream, "drop_oldest"))) as gateway,
        httpx2.Client(**LOCAL) as client,
        client.stream("POST", f"{gateway.url}/v1/chat/completions", json=body) as answer,
    ):
        gateway.wait_for_log("stream_completed")
        text = answer.read()
        gateway.wait_for_log("stream_trimmed")
        dropped = gateway.metric("wizard_stream_events_dropped_total")

    assert text.startswith(ROLE)
    assert text.endswith(FINISH + DONE)
    assert dropped > 0
    assert text.count(PIECE) + text.count(word("first")) == PIECES + 1 - dropped


def test_a_slow_client_is_given_up(upstream: Upstream) -> None:
    """The provider is let go, and the stream ends without a proper end."""
    body = {"model": "box/endless", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    ended = ""
    with (
        running(Start(slow(upstream, "error"))) as gateway,
        httpx2.Client(**LOCAL) as client,
        client.stream("POST", f"{gateway.url}/v1/chat/completions", json=body) as answer,
    ):
        gateway.wait_for_log("request_failed", code="client_too_slow", status=408)
        try:
            answer.read()
        except httpx2.RemoteProtocolError as error:
            ended = type(error).__name__

    assert ended == "RemoteProtocolError"
