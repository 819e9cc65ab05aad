"""Beginning, reading, branching off and ending sessions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from app.core.errors import CONFLICT, INVALID_REQUEST, SESSION_FULL, SESSION_NOT_FOUND, GatewayError
from app.core.model import ChatRequest
from app.core.session_manager import Branch, SessionBounds, SessionManager, SessionSpec
from app.core.sessions import Turn
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from tests.support.virtual_time import EPOCH_S, VirtualClock

RULES = b'{"role":"system","content":"be brief"}'
PAST = tuple(b'{"role":"user","content":"%d"}' % n for n in range(4))


class Desk:
    """A manager whose ids count."""

    def __init__(self, clock: VirtualClock, *, alone: bool = True) -> None:
        self.store = MemorySessions(StoreLimits(10, 100_000), clock)
        numbers = itertools.count(1)
        bounds = SessionBounds(max_bytes=1000, ttl_s=100.0, alone=alone)
        self.checked: list[ChatRequest] = []
        self.manager = SessionManager(
            self.store, bounds, clock, lambda count: next(numbers).to_bytes(count, "big"), self.checked.append
        )


async def refusal(asked: Any) -> GatewayError:  # noqa: ANN401 - a coroutine
    """Return why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked
    return caught.value


async def test_a_session_begins(clock: VirtualClock) -> None:
    """Empty, or with messages; those that instruct stand apart."""
    desk = Desk(clock)

    empty = await desk.manager.begin("eve", SessionSpec())
    full = await desk.manager.begin("eve", SessionSpec((RULES, *PAST), "fast", b'{"a":1}', 50.0))

    assert empty.head.id == "sess_" + "0" * 31 + "1"
    assert (empty.head.created, empty.head.expires, empty.head.ttl_s) == (EPOCH_S, EPOCH_S + 100, 100.0)
    assert (full.instructions, full.messages) == ((RULES,), PAST)
    assert (full.head.model, full.head.metadata, full.head.expires) == ("fast", b'{"a":1}', EPOCH_S + 50)
    assert (full.head.messages, full.head.size) == (4, len(RULES) + sum(map(len, PAST)))
    assert await desk.manager.store.load("eve", full.head.id) == full


async def test_a_conversation_is_checked_as_a_call_would_be(clock: VirtualClock) -> None:
    """With the numbers that the messages have in the order; what comes in front of them is checked behind them."""
    desk = Desk(clock)

    begun = await desk.manager.begin("eve", SessionSpec(PAST, "fast", system="Be brief."))
    await desk.manager.begin("eve", SessionSpec())

    (checked,) = desk.checked
    assert checked.model == "fast"
    assert [message.content for message in checked.fields.messages] == ["0", "1", "2", "3", "Be brief."]
    assert begun.instructions == (b'{"role":"system","content":"Be brief."}',)
    assert begun.messages == PAST


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (SessionSpec((b'{"role":"user","content":"%b"}' % (b"x" * 999),)), SESSION_FULL),
        (SessionSpec(ttl_s=100.1), INVALID_REQUEST),
    ],
    ids=["too large", "too long"],
)
async def test_what_no_session_can_be(clock: VirtualClock, spec: SessionSpec, kind: object) -> None:
    """Larger or longer than configured."""
    assert (await refusal(Desk(clock).manager.begin("eve", spec))).kind is kind


@pytest.mark.parametrize(("last", "kept"), [(1, 0), (2, 0), (3, 0), (4, 4), (5, 4), (6, 4), (7, 4), (8, 8)])
async def test_a_branch_begins_with_a_turn(clock: VirtualClock, last: int, kept: int) -> None:
    """Whatever number is asked for, a tool's result never comes without its call."""
    called = (
        b'{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}'
    )
    turn = (PAST[0], called, b'{"role":"tool","tool_call_id":"c","content":"4"}', b'{"role":"assistant","content":"a"}')
    desk = Desk(clock)
    origin = await desk.manager.begin("eve", SessionSpec(turn * 2))

    fork = await desk.manager.fork("eve", origin.head.id, Branch(last=last))

    assert fork.messages == (turn * 2)[8 - kept :]


@pytest.mark.parametrize(
    ("branch", "kept"),
    [
        (Branch(), PAST),
        (Branch(at=1), PAST[:1]),
        (Branch(at=0), ()),
        (Branch(last=2), PAST[2:]),
        (Branch(last=9), PAST),
        (Branch(last=0), ()),
        (Branch(at=3, last=1), PAST[2:3]),
    ],
)
async def test_branching_off(clock: VirtualClock, branch: Branch, kept: tuple[bytes, ...]) -> None:
    """The branch has what it was given and goes on by itself, and so does the origin."""
    desk = Desk(clock)
    origin = await desk.manager.begin("eve", SessionSpec((RULES, *PAST), "fast", b'{"a":1}', 50.0))

    fork = await desk.manager.fork("eve", origin.head.id, branch)
    await desk.store.append("eve", fork.head.id, Turn((PAST[0],)))

    assert (fork.instructions, fork.messages) == ((RULES,), kept)
    assert (fork.head.model, fork.head.metadata, fork.head.ttl_s) == ("fast", b'{"a":1}', 50.0)
    assert fork.head.id != origin.head.id
    assert (await desk.manager.store.load("eve", origin.head.id)).messages == PAST
    assert (await refusal(desk.manager.fork("mallory", origin.head.id, branch))).kind is SESSION_NOT_FOUND


async def test_ending_and_listing(clock: VirtualClock) -> None:
    """Each owner sees its own; an operator sees all, and whose they are."""
    desk = Desk(clock)
    mine = await desk.manager.begin("eve", SessionSpec())
    other = await desk.manager.begin("mallory", SessionSpec())

    owner = await desk.manager.owner(other.head.id)
    listed = [[head.id for head in await desk.manager.store.listing(tenant, 10)] for tenant in ("eve", None)]
    await desk.manager.store.delete("eve", mine.head.id)

    assert owner == "mallory"
    assert listed == [[mine.head.id], [other.head.id, mine.head.id]]
    assert (await refusal(desk.manager.owner(mine.head.id))).kind is SESSION_NOT_FOUND
    assert (await refusal(desk.manager.store.delete("eve", other.head.id))).kind is SESSION_NOT_FOUND


async def test_several_processes_need_one_store(clock: VirtualClock) -> None:
    """What one worker keeps in its memory the others would not know."""
    assert (await refusal(Desk(clock, alone=False).manager.begin("eve", SessionSpec()))).kind is CONFLICT
