"""What travels, and what may not change on the way."""

from __future__ import annotations

import msgspec
import pytest

from app.core.call import CallOptions, Journal, Tried
from app.core.gateway import EdgeOptions, Gateway
from app.core.identity import Caller, Credential
from app.core.outcome import End, Outcome
from app.core.routing.table import RoutingTable
from app.core.session_manager import SessionBounds, SessionManager
from app.core.traffic.admission import Priority
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from tests.support.calls import TARGET, FakeProvider, a_call, an_attempt, word
from tests.support.virtual_time import START_S, VirtualClock


@pytest.mark.parametrize(
    ("upstream_s", "committed", "overhead_s"),
    [(0.0, 2.0, 2.0), (1.5, 2.0, 0.5), (2.0, 2.0, 0.0), (2.5, 2.0, 0.0)],
)
def test_overhead_is_what_was_not_waiting_for_a_provider(
    upstream_s: float, committed: float, overhead_s: float
) -> None:
    """The time up to the commit point less that spent upstream is ours, and never negative."""
    call = a_call(started=START_S)
    call.journal.upstream_s = upstream_s

    assert call.overhead_s(START_S + committed) == overhead_s


@pytest.mark.parametrize(
    "frozen",
    [a_call(), a_call().request, an_attempt(), TARGET, CallOptions(), word(), Outcome(End.COMPLETED)],
    ids=lambda frozen: type(frozen).__name__,
)
def test_what_travels_cannot_be_changed(frozen: msgspec.Struct) -> None:
    """No field of it can be set, so a second try starts from exactly what the first one was given."""
    for field in msgspec.structs.fields(frozen):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(frozen, field.name, None)


def test_each_call_has_a_journal_of_its_own() -> None:
    """What happened to one call is not written into another's journal."""
    one, other = Journal(), Journal()

    one.tried.append(Tried(TARGET, "target_failed"))

    assert other.tried == []


class Nobody:
    """Identities that nobody asks."""

    async def identify(self, credential: Credential | None, request_id: str = "") -> Caller:
        """Say that there is nobody."""
        raise NotImplementedError


@pytest.mark.parametrize(
    ("asked", "allowed", "priority"),
    [
        (None, None, Priority.NORMAL),
        (Priority.HIGH, None, Priority.HIGH),
        (None, Priority.HIGH, Priority.HIGH),
        (None, Priority.LOW, Priority.LOW),
        (Priority.LOW, Priority.HIGH, Priority.LOW),
        (Priority.HIGH, Priority.NORMAL, Priority.NORMAL),
    ],
)
def test_how_urgent_a_call_is(asked: Priority | None, allowed: Priority | None, priority: Priority) -> None:
    """As its key has it, or less if the call itself says so; without a key's word the call's own counts."""
    caller = Caller("key_1", "key_1", priority=allowed)
    call = msgspec.structs.replace(a_call(options=CallOptions(priority=asked)), caller=caller)

    assert call.priority is priority


async def test_a_gateway_is_one_reading_of_the_configuration(clock: VirtualClock) -> None:
    """A gateway holds the pipeline and the models that belong together, and neither can be exchanged."""
    provider, routing = FakeProvider(), RoutingTable({}, {})

    office = SessionManager(
        MemorySessions(StoreLimits(1, 1), clock),
        SessionBounds(1, 1.0, alone=True),
        clock,
        bytes,
        lambda _conversation: None,
    )

    gateway = Gateway(provider, routing, EdgeOptions(1, 1.0, 1.0), "digest", Nobody(), office)

    assert (gateway.handler, gateway.routing, gateway.digest) == (provider, routing, "digest")
    with pytest.raises(AttributeError, match="immutable"):
        gateway.routing = RoutingTable({}, {})  # type: ignore[misc]
