"""What a request says about its place in the queue: how much it matters, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from app.api.inbound import credential_of
from app.api.request_options import NOTHING_ASKED, RequestOptions, merged
from app.core.call import Call, CallOptions
from app.core.identity import Caller, Credential
from app.core.traffic.admission import Priority
from tests.api.support import JSON, Edge, Server
from tests.support.calls import FakeProvider, answers
from tests.support.virtual_time import VirtualClock


async def served(clock: VirtualClock, headers: Mapping[str, str]) -> Call:
    """Return the call that a request with these headers became."""
    provider = FakeProvider(answers())
    await Edge(provider, clock).serve(Server(headers={**JSON, **headers}))
    (call,) = provider.asked
    assert isinstance(call, Call)
    return call


@pytest.mark.parametrize(
    ("headers", "priority"),
    [
        ({}, Priority.NORMAL),
        ({"x-wizard-priority": "high"}, Priority.HIGH),
        ({"x-wizard-priority": "normal"}, Priority.NORMAL),
        ({"x-wizard-priority": "LOW"}, Priority.LOW),
    ],
)
async def test_priority(clock: VirtualClock, headers: Mapping[str, str], priority: Priority) -> None:
    """One of three words; normal without one."""
    call = await served(clock, headers)

    assert call.priority is priority


@pytest.mark.parametrize("value", ["urgent", "", "0", "high,low"])
async def test_unknown_priority(clock: VirtualClock, value: str) -> None:
    """Any other word is the caller's mistake, and the refusal names the header."""
    server = Server(headers={**JSON, "x-wizard-priority": value})

    await Edge(FakeProvider(), clock).serve(server)

    assert (server.status, server.error["code"], server.error["param"]) == (400, "invalid_request", "x-wizard-priority")
    assert server.error["message"] == "'x-wizard-priority' must be 'high', 'normal' or 'low'."


@pytest.mark.parametrize("body", [NOTHING_ASKED, RequestOptions(timeout_s=1.0)])
def test_the_body_does_not_change_the_priority(body: RequestOptions) -> None:
    """The header decides, also for `/v1/generate` with options of its own."""
    asked = RequestOptions(options=CallOptions(priority=Priority.HIGH))

    assert merged(asked, body).options.priority is Priority.HIGH


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({b"authorization": b""}, None),
        ({b"authorization": b"Bearer k1"}, b"k1"),
        ({b"authorization": b"bearer  k1 "}, b"k1"),
        ({b"x-api-key": b"k2"}, b"k2"),
        ({b"authorization": b"k3"}, b"k3"),
        ({b"authorization": b"Basic abc", b"x-api-key": b"k4"}, b"k4"),
    ],
)
def test_a_request_brings_one_key(headers: dict[bytes, bytes], token: bytes | None) -> None:
    """As OpenAI's clients send it, or as Anthropic's do."""
    assert credential_of(headers) == (None if token is None else Credential(token))


async def test_callers_take_turns_by_their_key(clock: VirtualClock) -> None:
    """The same key is the same caller, another one another; all without a key are one."""
    calls = [await served(clock, {"x-api-key": key} if key else {}) for key in ("sk-1", "sk-1", "sk-2", "")]

    one, same, other, none = [call.turn for call in calls]

    assert one == same != other
    assert none == 0


async def test_a_known_caller_has_one_turn_for_all_its_keys(clock: VirtualClock) -> None:
    """Once it is known who calls, that decides, and not what was presented."""
    known = Caller("key-1", "key-1")
    calls = [await served(clock, {"x-api-key": key}) for key in ("old", "new")]

    turns = {msgspec.structs.replace(call, caller=known).turn for call in calls}

    assert len(turns) == 1


async def test_a_key_bounds_the_priority(clock: VirtualClock) -> None:
    """A call is as urgent as it says, but never more than its key allows."""
    call = await served(clock, {"x-wizard-priority": "high"})
    quiet = Caller("key-1", "key-1", priority=Priority.LOW)

    bounded = msgspec.structs.replace(call, caller=quiet)

    assert (call.priority, bounded.priority) == (Priority.HIGH, Priority.LOW)


async def test_a_call_shows_no_key(clock: VirtualClock) -> None:
    """The credential travels with the call, and is never shown with it."""
    call = await served(clock, {"authorization": "Bearer sk-canary"})

    assert call.credential == Credential(b"sk-canary")
    assert "canary" not in repr(call)
