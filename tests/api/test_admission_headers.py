"""What a request says about its place in the queue: how much it matters, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.api.inbound import NO_WISHES, Wishes, caller_of, merged
from app.core.admission import Priority
from app.core.call import Call
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

    assert call.options.priority is priority


@pytest.mark.parametrize("value", ["urgent", "", "0", "high,low"])
async def test_unknown_priority(clock: VirtualClock, value: str) -> None:
    """Any other word is the caller's mistake, and the refusal names the header."""
    server = Server(headers={**JSON, "x-wizard-priority": value})

    await Edge(FakeProvider(), clock).serve(server)

    assert (server.status, server.error["code"], server.error["param"]) == (400, "invalid_request", "x-wizard-priority")
    assert server.error["message"] == "'x-wizard-priority' must be 'high', 'normal' or 'low'."


@pytest.mark.parametrize("body", [NO_WISHES, Wishes(timeout_s=1.0)])
def test_the_body_does_not_change_the_priority(body: Wishes) -> None:
    """The header decides, also for `/v1/generate` with options of its own."""
    assert merged(Wishes(priority=Priority.HIGH), body).priority is Priority.HIGH


def test_callers_are_told_apart_by_their_key() -> None:
    """The same key is the same caller, another one another; all without a key are one."""
    one, same, other = ({b"authorization": key} for key in (b"Bearer sk-1", b"Bearer sk-1", b"Bearer sk-2"))

    assert caller_of(one) == caller_of(same) != caller_of(other)
    assert caller_of({b"x-api-key": b"sk-1"}) != caller_of({b"x-api-key": b"sk-2"})
    assert caller_of({}) == caller_of({b"authorization": b""}) == 0


async def test_a_call_knows_its_caller(clock: VirtualClock) -> None:
    """The number travels with the call; the key does not."""
    call = await served(clock, {"authorization": "Bearer sk-canary"})

    assert call.caller == caller_of({b"authorization": b"Bearer sk-canary"})
    assert "canary" not in repr(call)
