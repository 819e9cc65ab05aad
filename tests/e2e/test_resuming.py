"""Streams whose connection was lost are gone on with, where they were left and to their true end."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, word
from tests.e2e.support.asking import bearer, chat, code, send
from tests.e2e.support.state import with_state
from tests.e2e.support.upstream import Exchange, Upstream
from tests.e2e.support.wire import Wire, connected, dechunked, request_head
from tests.support.gateway import GatewayProcess, Start, eventually, running

SAID = ROLE + word("a")
HI = [{"role": "user", "content": "hi"}]
FRAME = word("x" * 65_536)
STILL_S = 1.0


def configuration(upstream: Upstream, *, on_disconnect: str = "cancel", **resume: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a configuration whose streams can be resumed."""
    return {
        "providers": {"box": {"kind": "openai", "base_url": upstream.url}, "sim": {"kind": "sim"}},
        "retry": {"max_attempts": 1},
        "circuit_breaker": {"enabled": False},
        "streaming": {"resume": {"enabled": True, **resume}, "on_disconnect": on_disconnect, "keep_alive_s": 3600},
    }


@pytest.fixture(scope="module", params=["memory", "redis"])
def gateway(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway whose streams can be resumed, without Redis and with it."""
    with with_state(request.param, configuration(upstream)) as process:
        yield process


@contextmanager
def begun(
    gateway: GatewayProcess, upstream: Upstream, headers: Mapping[str, str], first: bytes
) -> Iterator[tuple[str, Exchange, Wire]]:
    """Ask for a stream and read its beginning; yield its id, the provider's side and the client's."""
    upstream.hold("long")
    with connected(gateway.port) as wire:
        wire.ask("box/long", headers)
        exchange = upstream.take("long")
        exchange.begin()
        exchange.part(first)
        stream_id = wire.head().headers["x-wizard-stream-id"]
        wire.until(first)
        yield stream_id, exchange, wire


def left(gateway: GatewayProcess, upstream: Upstream, request_id: str) -> tuple[str, Exchange]:
    """Read three events of a stream and leave; return the id of the stream and the provider's side."""
    with begun(gateway, upstream, {"x-request-id": request_id}, ROLE + word("one ") + word("two ")) as (
        stream_id,
        exchange,
        _,
    ):
        pass
    gateway.wait_for_log("client_left", request_id=request_id, drained=True)
    return stream_id, exchange


def read(gateway: GatewayProcess, path: str, headers: Mapping[str, str] | None = None) -> tuple[bytes, bool]:
    """Return what comes of a stream, and whether it was ended properly."""
    with connected(gateway.port) as wire:
        wire.send(request_head("GET", f"/v1/streams/{path}", {"connection": "close", **(headers or {})}))
        head, rest = wire.head(), wire.rest()
        assert (200, "text/event-stream; charset=utf-8") == (head.status, head.headers["content-type"]), rest[:500]
        return dechunked(rest)


def numbered(*frames: bytes, first: int = 1) -> bytes:
    """Return frames as they are replayed."""
    return b"".join(b"id: %d\n%b" % (number, frame) for number, frame in enumerate(frames, first))


def get(gateway: GatewayProcess, path: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """Ask for a stream that has ended, or is refused."""
    return send(gateway, "GET", f"/v1/streams/{path}", headers or {})


def followed(gateway: GatewayProcess, stream_id: str, exchange: Exchange) -> tuple[str, bytes]:
    """Come back behind the second event, let the provider finish, and return the id that was told, and the rest."""
    with connected(gateway.port) as wire:
        wire.send(request_head("GET", f"/v1/streams/{stream_id}", {"last-event-id": "2", "connection": "close"}))
        head = wire.head()
        wire.until(b"three")
        exchange.part(FINISH + DONE)
        exchange.end()
        return head.headers["x-wizard-stream-id"], wire.rest()


def test_what_was_missed_and_what_is_yet_to_come(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The provider goes on, and whoever comes back gets the rest with numbers; the call is complete, not left."""
    stream_id, exchange = left(gateway, upstream, "resume-1")
    exchange.part(word("three"))

    named, tail = followed(gateway, stream_id, exchange)

    assert stream_id == named
    assert b"id: 5\n" + FINISH in tail
    assert tail.endswith(DONE + b"\r\n0\r\n\r\n")
    line = gateway.wait_for_log("request_completed", request_id="resume-1")
    assert 200 == line["status"]
    gateway.wait_for_log("stream_resumed", request_id="resume-1", events=2, live=True)
    gateway.wait_for_metric("wizard_drained_active", 0)
    whole = numbered(ROLE, word("one "), word("two "), word("three"), FINISH, DONE)
    assert (whole, True) == read(gateway, stream_id)
    assert (numbered(FINISH, DONE, first=5), True) == read(gateway, f"{stream_id}?after=4")
    assert (numbered(DONE, first=6), True) == read(gateway, f"{stream_id}?after=1", {"last-event-id": "5"})
    assert 204 == get(gateway, f"{stream_id}?after=6").status_code


def test_an_answer_that_ended_meanwhile(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The client was gone when it ended, and the log says so; it can be had all the same."""
    stream_id, exchange = left(gateway, upstream, "resume-2")

    exchange.part(FINISH + DONE)
    exchange.end()
    line = gateway.wait_for_log("request_failed", request_id="resume-2")

    assert (499, "completed") == (line["status"], line["drained"])
    assert (numbered(FINISH, DONE, first=4), True) == read(gateway, f"{stream_id}?after=3")


def test_a_failure_stays_one(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Live or afterwards: an error event, a broken connection, and never an end."""
    stream_id, exchange = left(gateway, upstream, "resume-3")

    exchange.break_off()
    gateway.wait_for_log("request_failed", request_id="resume-3")
    replayed, proper = read(gateway, f"{stream_id}?after=3")
    again = read(gateway, f"{stream_id}?after=4")

    assert b"id: 4\ndata: " == replayed[:12]
    assert "stream_broken" == msgspec.json.decode(replayed[12:])["error"]["code"]
    assert not proper
    assert b"[DONE]" not in replayed
    assert (b"", False) == again


def test_streams_are_their_callers(gateway: GatewayProcess, upstream: Upstream) -> None:
    """For anyone else there is none, and nobody can tell that from one that never was."""
    with begun(gateway, upstream, bearer("sk-one"), SAID) as (stream_id, exchange, wire):
        exchange.part(FINISH + DONE)
        exchange.end()
        wire.until(DONE)

    others = [get(gateway, stream_id), get(gateway, stream_id, bearer("sk-other")), get(gateway, "stm_none")]

    assert [(404, "stream_not_found")] * 3 == [(answer.status_code, code(answer)) for answer in others]
    assert numbered(ROLE, word("a"), FINISH, DONE) == read(gateway, stream_id, bearer("sk-one"))[0]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=99", "after=1e3", "after=" + "9" * 5000])
def test_numbers_that_are_none(gateway: GatewayProcess, upstream: Upstream, query: str) -> None:
    """Or that no event has are refused by name."""
    with begun(gateway, upstream, {}, SAID) as (stream_id, exchange, wire):
        exchange.part(FINISH + DONE)
        exchange.end()
        wire.until(DONE)

    answer = get(gateway, f"{stream_id}?{query}")

    assert (400, "after") == (answer.status_code, answer.json()["error"]["param"])


def test_the_header_is_judged_too(gateway: GatewayProcess, upstream: Upstream) -> None:
    """With its own name."""
    with begun(gateway, upstream, {}, SAID) as (stream_id, exchange, wire):
        exchange.part(FINISH + DONE)
        exchange.end()
        wire.until(DONE)

    assert "last-event-id" == get(gateway, stream_id, {"last-event-id": "x"}).json()["error"]["param"]


def test_whoever_resumes_takes_over(upstream: Upstream) -> None:
    """A client that is gone without a word, and so does not read, holds up nobody, and gets no proper end."""
    given = configuration(upstream, stream_max_bytes=268_435_456, max_bytes=268_435_456)
    with running(Start(given)) as gateway, connected(gateway.port, receive_buffer_bytes=65_536) as first:
        upstream.hold("long")
        first.ask("box/long", {"x-request-id": "flood"})
        exchange = upstream.take("long")
        exchange.begin()
        taken = exchange.flood(FRAME, 4096, STILL_S)
        stream_id = first.head().headers["x-wizard-stream-id"]

        with connected(gateway.port) as second:
            second.send(request_head("GET", f"/v1/streams/{stream_id}", {"connection": "close"}))
            second.head()
            exchange.break_off()
            content, proper = dechunked(second.rest())
        rest = first.rest()

    assert content.count(b"\nid: ") + 1 >= taken
    assert b"stream_broken" in content[-2000:]
    assert not proper
    assert not rest.endswith(b"\r\n0\r\n\r\n")


def test_several_may_read(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Each from where it likes; the stream goes on until the last has left for good."""
    stream_id, exchange = left(gateway, upstream, "resume-4")

    with connected(gateway.port) as one, connected(gateway.port) as other:
        for wire, after in ((one, 0), (other, 2)):
            wire.send(request_head("GET", f"/v1/streams/{stream_id}?after={after}"))
            wire.until(b"two ")
        one.close()
        exchange.part(word("three") + FINISH + DONE)
        exchange.end()
        tail = other.until(DONE)

    assert tail.endswith(b"id: 5\n" + FINISH + b"id: 6\n" + DONE)
    gateway.wait_for_log("request_completed", request_id="resume-4")


def test_nobody_waits_for_ever(upstream: Upstream) -> None:
    """When nobody has come back within the window the provider is let go, and the stream is forgotten."""
    with running(Start(configuration(upstream, window_s=1))) as gateway:
        stream_id, exchange = left(gateway, upstream, "late")

        assert exchange.peer_left()
        line = gateway.wait_for_log("request_failed", request_id="late")
        assert (499, "abandoned") == (line["status"], line["drained"])
        gateway.wait_for_metric("wizard_active_requests", 0)
        eventually(lambda: gone(gateway, stream_id), "the stream is still there")


def gone(gateway: GatewayProcess, stream_id: str) -> bool:
    """Say whether a broken stream is forgotten."""
    with connected(gateway.port) as wire:
        wire.send(request_head("GET", f"/v1/streams/{stream_id}", {"connection": "close"}))
        if wire.head().status == 404:
            return True
        assert not dechunked(wire.rest())[1]
        return False


def test_a_reader_that_leaves_again_is_waited_for(upstream: Upstream) -> None:
    """The window begins anew each time; a route that drains goes on after it."""
    with running(Start(configuration(upstream, on_disconnect="drain", window_s=1))) as gateway:
        stream_id, exchange = left(gateway, upstream, "again")
        with connected(gateway.port) as wire:
            wire.send(request_head("GET", f"/v1/streams/{stream_id}"))
            wire.until(b"two ")
        gateway.wait_for_metric("wizard_drained_active", 1)

        assert not exchange_left(exchange)
        exchange.part(FINISH + DONE)
        exchange.end()
        assert "completed" == gateway.wait_for_log("request_failed", request_id="again")["drained"]


def exchange_left(exchange: Exchange) -> bool:
    """Say whether the gateway closes its connection to the provider although more than the window passes."""
    try:
        for _ in range(20):
            exchange.part(word("."))
            exchange.pause(0.1)
    except OSError:
        return True
    return False


def test_streams_that_grow_too_large(upstream: Upstream) -> None:
    """Go on as ever for their client, and cannot be resumed; who has resumed one is told why it ends."""
    with running(Start(configuration(upstream, stream_max_bytes=2000))) as gateway:
        with begun(gateway, upstream, {}, ROLE + word("a")) as (stream_id, exchange, wire):
            exchange.part(word("b" * 2000))
            exchange.part(FINISH + DONE)
            exchange.end()
            wire.until(DONE)
            wire.until(b"0\r\n\r\n")
        assert "stream_not_found" == code(get(gateway, stream_id))

        stream_id, exchange = left(gateway, upstream, "grown")
        with connected(gateway.port) as wire:
            wire.send(request_head("GET", f"/v1/streams/{stream_id}", {"connection": "close"}))
            wire.until(b"two ")
            exchange.part(word("b" * 2000))
            rest = wire.rest()
        assert exchange.peer_left()
        assert b"stream_broken" in rest
        assert not rest.endswith(b"0\r\n\r\n")


def test_only_so_many(upstream: Upstream) -> None:
    """Those that have ended make room for new ones; live ones do not."""
    with running(Start(configuration(upstream, max_streams=1))) as gateway:
        stream_id, exchange = left(gateway, upstream, "only")
        other = chat(gateway, stream=True)
        exchange.part(FINISH + DONE)
        exchange.end()
        gateway.wait_for_log("request_failed", request_id="only")
        third = chat(gateway, stream=True)

        assert 200 == other.status_code
        assert "x-wizard-stream-id" not in other.headers
        assert third.headers["x-wizard-stream-id"] != stream_id
        assert 404 == get(gateway, stream_id).status_code


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/generate", "/v1/messages", "/v1/responses"])
def test_every_dialect(gateway: GatewayProcess, path: str) -> None:
    """What is replayed is what was sent, with numbers, in the dialect of the endpoint."""
    given = {"input": "some words to say"} if path == "/v1/responses" else {"messages": HI, "max_tokens": 100}
    answer = send(gateway, "POST", path, {}, {"model": "sim/echo", "stream": True, **given})

    replayed = get(gateway, answer.headers["x-wizard-stream-id"])

    numbers = [int(number) for number in re.findall(r"(?m)^id: (\d+)$", replayed.text)]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert re.sub(r"(?m)^id: \d+\n", "", replayed.text) == answer.text
    assert len(numbers) == len(re.findall("(?m)^data: ", answer.text)) > 2
    assert "id:" not in answer.text.replace('"id:', "")


def test_silences_are_not_events(upstream: Upstream) -> None:
    """Comments keep both connections alive, and have no numbers."""
    given = configuration(upstream)
    given["streaming"]["keep_alive_s"] = 0.05
    with running(Start(given)) as gateway:
        with begun(gateway, upstream, {"x-request-id": "quiet"}, SAID) as (stream_id, exchange, wire):
            wire.until(b": keep-alive\n\n")
        gateway.wait_for_log("client_left", request_id="quiet")
        with connected(gateway.port) as wire:
            wire.send(request_head("GET", f"/v1/streams/{stream_id}"))
            wire.until(b": keep-alive\n\n")
            exchange.part(FINISH + DONE)
            exchange.end()
            wire.until(b"id: 3\n" + FINISH + b"id: 4\n" + DONE)


def test_the_end_of_the_process(upstream: Upstream) -> None:
    """Readers are told in the dialect of their stream, and nobody is waited for longer than `server.drain_s`."""
    with running(Start({**configuration(upstream), "server": {"drain_s": 0.5}})) as gateway:
        stream_id, exchange = left(gateway, upstream, "end")
        with connected(gateway.port) as wire:
            wire.send(request_head("GET", f"/v1/streams/{stream_id}"))
            wire.until(b"two ")
            gateway.send_signal(signal.SIGTERM)
            rest = wire.rest()

        assert exchange.peer_left()
        assert 0 == gateway.wait()
    assert b"overloaded" in rest
    assert not rest.endswith(b"0\r\n\r\n")


def test_whole_answers_are_not_resumed(gateway: GatewayProcess) -> None:
    """Nor have they an id."""
    assert "x-wizard-stream-id" not in chat(gateway).headers


def test_before_there_is_an_id_leaving_cancels(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Nobody could come back to it."""
    upstream.hold("long")
    with connected(gateway.port) as wire:
        wire.ask("box/long", {"x-request-id": "early"})
        exchange = upstream.take("long")
        exchange.begin()
        exchange.part(ROLE)

    assert exchange.peer_left()
    assert "drained" not in gateway.wait_for_log("request_failed", request_id="early")


def test_two_that_share_an_answer_have_a_stream_each(upstream: Upstream) -> None:
    """One may come back to its own although the other was there first, and there is one upstream call."""
    with running(Start({**configuration(upstream), "cache": {"enabled": True}})) as gateway:
        with (
            begun(gateway, upstream, {"x-request-id": "leads"}, SAID) as (first_id, exchange, _),
            connected(gateway.port) as wire,
        ):
            wire.ask("box/long", {"x-request-id": "follows"})
            head = wire.head()
            wire.until(b'"a"')
        for name in ("leads", "follows"):
            gateway.wait_for_log("client_left", request_id=name)
        exchange.part(FINISH + DONE)
        exchange.end()
        for name in ("leads", "follows"):
            gateway.wait_for_log("request_failed", request_id=name, drained="completed")
        second_id = head.headers["x-wizard-stream-id"]
        streams = [read(gateway, stream_id) for stream_id in (first_id, second_id)]

        assert ("coalesced", True) == (head.headers["x-wizard-cache"], first_id != second_id)
        assert [True, True] == [proper and content.endswith(DONE) for content, proper in streams]
        assert 1 == len(upstream.received("long"))


def test_off_by_default(upstream: Upstream) -> None:
    """Nothing is kept, nothing has an id, and leaving cancels."""
    given = configuration(upstream, enabled=False)
    with running(Start(given)) as gateway:
        upstream.hold("long")
        with connected(gateway.port) as wire:
            wire.ask("box/long")
            exchange = upstream.take("long")
            exchange.begin()
            exchange.part(ROLE + word("a"))
            assert "x-wizard-stream-id" not in wire.head().headers

        assert exchange.peer_left()
        assert "stream_not_found" == code(get(gateway, "stm_1"))
