"""A bug inside never shows more of itself than that it is one."""

from __future__ import annotations

import msgspec

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.pipeline import compose
from app.core.signals import CallEnded, CallRefused, InternalFault, Signal
from app.stages.record import Record
from tests.api.support import JSON, STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, answers, done, raises, role, streams, word
from tests.support.virtual_time import VirtualClock

SECRET = "what the prompt said"


async def test_fault_is_a_plain_500(clock: VirtualClock) -> None:
    """A stage that raises what it should not is a 500 of the contract, without a word of the exception."""
    edge, server = Edge(FakeProvider(raises(RuntimeError(SECRET))), clock), Server()

    await edge.serve(server)

    assert (server.status, server.error["code"], server.error["kind"]) == (500, "internal", "internal")
    assert server.error["request_id"] == server.answer_headers["x-request-id"]
    assert server.answer_headers["x-should-retry"] == "true"
    assert SECRET.encode() not in server.body


async def test_fault_is_told_without_its_message(clock: VirtualClock) -> None:
    """Whoever runs the gateway learns the type of the exception and where it came from, not what it quotes."""
    edge, server = Edge(FakeProvider(raises(ValueError(SECRET))), clock), Server()

    await edge.serve(server)

    (fault,) = edge.told
    assert isinstance(fault, InternalFault)
    assert (fault.error, fault.request_id) == ("ValueError", server.answer_headers["x-request-id"])
    assert "calls.py" in fault.trace
    assert SECRET not in fault.trace


async def test_fault_in_mid_stream_breaks_the_stream(clock: VirtualClock) -> None:
    """A bug behind the commit point breaks the connection: nobody can take the stream for complete."""
    line = Line(role(), word("a"), RuntimeError(SECRET))
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))

    await edge.serve(server)

    assert server.status == 200
    assert server.body == role().frame + word("a").frame
    assert not server.complete
    assert line.released == 1
    assert [type(signal) for signal in edge.told] == [InternalFault]


async def test_failure_in_mid_stream_is_an_event(clock: VirtualClock) -> None:
    """An ordinary failure behind the commit point is one last event, and then the same broken connection."""
    line = Line(word("a"), GatewayError(TARGET_UNAVAILABLE, "It broke."))
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))

    await edge.serve(server)

    *frames, last, rest = server.body.split(b"\n\n")
    assert (b"\n\n".join(frames) + b"\n\n", rest) == (word("a").frame, b"")
    error = msgspec.json.decode(last.removeprefix(b"data: "))["error"]
    assert (error["code"], error["message"]) == ("stream_broken", "It broke.")
    assert not server.complete
    assert edge.told == []


async def test_fault_is_recorded_as_one(clock: VirtualClock) -> None:
    """The record of a call that met a bug says so, whether its answer had begun or not."""
    told: list[Signal] = []
    steps = [raises(RuntimeError(SECRET)), streams(Line(word(), RuntimeError(SECRET)))]
    handler = compose([Record(told.append, clock)], FakeProvider(*steps))
    edge = Edge(handler, clock)

    await edge.serve(Server())
    await edge.serve(Server((STREAM,)))

    ended = [(signal.outcome, signal.code) for signal in told if isinstance(signal, CallEnded)]
    assert ended == [("failed", "internal")] * 2


async def test_refusal_is_told(clock: VirtualClock) -> None:
    """A request that never becomes a call is told as refused, with its status and code."""
    provider = FakeProvider()
    edge, server = Edge(provider, clock), Server((b"{",), headers={**JSON, "x-request-id": "r-1"})

    await edge.serve(server)

    assert edge.told == [CallRefused("r-1", "chat", 400, "invalid_json")]
    assert provider.asked == []


async def test_call_keeps_the_gateway_that_it_began_with(clock: VirtualClock) -> None:
    """A configuration that changes while a request is still being read does not touch it."""
    old, new = FakeProvider(answers("old")), FakeProvider(answers("new"))
    edge = Edge(old, clock)
    server = Server((b'{"model":"acme/small",', b'"messages":[{"role":"user"}]}'))
    receive = server.receive

    async def receive_and_reload() -> object:
        message = await receive()
        edge.current = Edge(new, clock).current
        return message

    server.receive = receive_and_reload  # type: ignore[method-assign, assignment]
    await edge.serve(server)
    await edge.serve(Server())

    assert (len(old.asked), len(new.asked)) == (1, 1)


async def test_stream_that_ends_well(clock: VirtualClock) -> None:
    """A complete stream is ended properly, and its connection is given back before that is known."""
    line = Line(role(), word("a"), done())
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))

    await edge.serve(server)

    assert server.complete
    assert server.body == role().frame + word("a").frame + done().frame
    assert line.log[-1] == "released"
