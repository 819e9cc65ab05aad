"""Going from one target to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from app.core.call import Call, CallOptions, Reply, Target, Tried
from app.core.errors import (
    CIRCUIT_OPEN,
    CONTENT_BLOCKED,
    INVALID_REQUEST,
    KINDS,
    TARGET_FAILED,
    TARGET_TIMEOUT,
    TARGET_UNAVAILABLE,
    UNKNOWN_MODEL,
    Again,
    GatewayError,
    Kind,
)
from app.core.routing.table import Route, RoutingTable
from app.core.signals import FellBack, Signal
from app.stages.fallback import Fallback
from tests.support.calls import (
    OTHER,
    TARGET,
    THIRD,
    FakeProvider,
    Line,
    Step,
    a_call,
    answers,
    asking,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    word,
)

ALL = frozenset(kind.trigger for kind in KINDS if kind.trigger is not None)
USUAL = frozenset({"timeout", "network", "rate_limit", "server_error", "circuit_open", "context_length"})
every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.code for kind in KINDS])


class Bench:
    """A fallback stage over a scripted provider; routes every call to `targets` unless given a route."""

    def __init__(
        self,
        *script: Step,
        targets: Sequence[Target] = (TARGET, OTHER, THIRD),
        triggers: frozenset[str] = USUAL,
        route: Callable[[Call], Sequence[Target]] | None = None,
    ) -> None:
        self.provider = FakeProvider(*script)
        self.signals: list[Signal] = []
        self.call = a_call()
        self._stage = Fallback(route or (lambda _call: targets), self.provider, triggers, self.signals.append)

    async def answer(self) -> Reply:
        """Make a call that succeeds."""
        return await self._stage(self.call)

    async def failure(self) -> GatewayError:
        """Make a call that fails, and return its failure."""
        with pytest.raises(GatewayError) as caught:
            await self._stage(self.call)
        return caught.value


async def test_the_first_target_that_answers_is_the_last_one_asked() -> None:
    """A healthy first target means no fallback, no signal, and position 0."""
    bench = Bench(answers("hello"))

    reply = await bench.answer()

    assert await text_of(reply) == "hello"
    assert bench.provider.targets == [TARGET]
    assert bench.signals == []
    assert (bench.call.journal.position, bench.call.journal.target) == (0, TARGET)
    assert bench.call.journal.tried == []


async def test_targets_are_tried_in_order() -> None:
    """Each failure moves the call to the next target, and the journal and the signals tell the whole way."""
    bench = Bench(fails(TARGET_UNAVAILABLE), fails(CIRCUIT_OPEN), answers("third"))

    reply = await bench.answer()

    assert await text_of(reply) == "third"
    assert bench.provider.targets == [TARGET, OTHER, THIRD]
    assert bench.signals == [
        FellBack("req_1", "acme/small", "box/large", "target_unavailable"),
        FellBack("req_1", "box/large", "cloud/huge", "circuit_open"),
    ]
    assert (bench.call.journal.position, bench.call.journal.target) == (2, THIRD)
    assert bench.call.journal.tried == [Tried(TARGET, "target_unavailable"), Tried(OTHER, "circuit_open")]


async def test_the_last_targets_failure_comes_out() -> None:
    """When all have failed the caller gets the last failure, and the journal lists every one."""
    bench = Bench(fails(TARGET_FAILED), fails(TARGET_UNAVAILABLE), fails(TARGET_TIMEOUT))

    error = await bench.failure()

    assert error.kind is TARGET_TIMEOUT
    assert [tried.code for tried in bench.call.journal.tried] == [
        "target_failed",
        "target_unavailable",
        "target_timeout",
    ]
    assert len(bench.signals) == 2
    assert (bench.call.journal.position, bench.call.journal.target) == (2, THIRD)


async def test_a_failure_that_would_repeat_itself_ends_the_search() -> None:
    """What is wrong with the request is wrong everywhere: the other targets are spared."""
    bench = Bench(fails(TARGET_FAILED), fails(INVALID_REQUEST))

    error = await bench.failure()

    assert error.kind is INVALID_REQUEST
    assert bench.provider.targets == [TARGET, OTHER]
    assert (bench.call.journal.position, bench.call.journal.target) == (1, OTHER)
    assert [tried.code for tried in bench.call.journal.tried] == ["target_failed", "invalid_request"]
    assert [signal.onward for signal in bench.signals if isinstance(signal, FellBack)] == ["box/large"]


@every_kind
async def test_without_triggers_only_rows_that_have_none_move_on(kind: Kind) -> None:
    """With every trigger switched off, a call moves on only for failures that no trigger governs."""
    bench = Bench(fails(kind), answers(), targets=(TARGET, OTHER), triggers=frozenset())
    moves = kind.trigger is None and kind.again is not Again.NEVER

    await (bench.answer() if moves else bench.failure())

    assert len(bench.provider.targets) == (2 if moves else 1)


@every_kind
async def test_each_trigger_moves_its_own_rows(kind: Kind) -> None:
    """A trigger that is switched on moves the failures that carry its name."""
    triggers = frozenset([kind.trigger] if kind.trigger else [])
    bench = Bench(fails(kind), answers(), targets=(TARGET, OTHER), triggers=triggers)
    moves = kind.trigger is not None or kind.again is not Again.NEVER

    await (bench.answer() if moves else bench.failure())

    assert len(bench.provider.targets) == (2 if moves else 1)


async def test_refused_content_moves_on_only_where_that_is_wanted() -> None:
    """Asking elsewhere after a policy refused is a decision of the operator, off unless made."""
    usual, wanted = Bench(fails(CONTENT_BLOCKED)), Bench(fails(CONTENT_BLOCKED), answers(), triggers=ALL)

    await usual.failure()
    await wanted.answer()

    assert (len(usual.provider.targets), len(wanted.provider.targets)) == (1, 2)


async def test_attempts_know_whether_another_target_is_left() -> None:
    """Only the attempt at the last target is marked as the last."""
    bench, alone = Bench(fails(TARGET_FAILED), fails(TARGET_FAILED), answers()), Bench(answers(), targets=(TARGET,))

    await bench.answer()
    await alone.answer()

    assert [attempt.last for attempt in bench.provider.attempts] == [False, False, True]
    assert [attempt.last for attempt in alone.provider.attempts] == [True]


async def test_every_attempt_is_of_the_same_call() -> None:
    """The next target is asked exactly what the first one was."""
    bench = Bench(fails(TARGET_FAILED), answers())

    await bench.answer()

    assert [attempt.call is bench.call for attempt in bench.provider.attempts] == [True, True]


async def test_a_stream_falls_back_until_it_commits() -> None:
    """A stream that dies before its first word moves on; the client sees the next target's alone."""
    dead, alive = Line(role(), GatewayError(TARGET_UNAVAILABLE, "reset")), Line(role(), word("hi"))
    bench = Bench(streams(dead), streams(alive))

    reply = await bench.answer()

    assert dead.released == 1
    assert await text_of(reply) == "hi"


async def test_a_stream_does_not_fall_back_after_it_commits() -> None:
    """A stream that breaks after its first word is not begun again elsewhere."""
    bench = Bench(streams(Line(word("hi"), GatewayError(TARGET_UNAVAILABLE, "reset"))))
    reply = await bench.answer()

    with pytest.raises(GatewayError):
        await text_of(reply)

    assert bench.provider.targets == [TARGET]


@pytest.mark.parametrize("targets", [(TARGET,), (TARGET, OTHER)], ids=["last", "not last"])
async def test_a_bug_does_not_fall_back(targets: Sequence[Target]) -> None:
    """An exception that is no gateway error passes at once."""
    bench = Bench(raises(ValueError("bug")), targets=targets)

    with pytest.raises(ValueError, match="bug"):
        await bench.answer()

    assert bench.provider.targets == [TARGET]


@pytest.mark.parametrize("targets", [(TARGET,), (TARGET, OTHER)], ids=["last", "not last"])
async def test_a_client_that_leaves_ends_the_search(targets: Sequence[Target]) -> None:
    """Cancelling ends the attempt under way, and no other begins."""
    bench = Bench(hangs(), targets=targets)
    task = asyncio.create_task(bench.answer())
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert bench.provider.targets == [TARGET]
    assert bench.call.journal.tried == []


async def test_an_unknown_model_reaches_no_target() -> None:
    """What the route refuses is refused before anything is tried."""

    def route(call: Call) -> Sequence[Target]:
        return RoutingTable({}, {}).targets(call.request.model)

    bench = Bench(route=route)

    error = await bench.failure()

    assert error.kind is UNKNOWN_MODEL
    assert bench.provider.targets == []
    assert bench.call.journal.target is None


async def test_routes_in_a_circle_end() -> None:
    """Over routes that fall back to each other every target is asked once, and then the call fails."""
    routing = RoutingTable(
        {"fast": Route((TARGET,), ("big",)), "big": Route((OTHER, TARGET), ("fast", "cloud/huge"))},
        {"acme": (), "box": (), "cloud": ()},
    )
    bench = Bench(*[fails(TARGET_FAILED)] * 3, route=lambda call: routing.targets(call.request.model))

    await bench.failure()

    assert bench.provider.targets == [TARGET, OTHER, THIRD]


async def test_a_caller_who_wants_no_fallback_gets_none() -> None:
    """With fallback off the first target is the only and the last one."""
    routing = RoutingTable({"fast": Route((TARGET, OTHER), ("cloud/huge",))}, {"cloud": ()})
    bench = Bench(
        fails(TARGET_FAILED),
        route=lambda call: routing.targets(call.request.model, fallback=call.options.fallback),
    )
    bench.call = a_call(asking(model="fast"), options=CallOptions(fallback=False))

    await bench.failure()

    assert [(attempt.target, attempt.last) for attempt in bench.provider.attempts] == [(TARGET, True)]
    assert bench.signals == []
