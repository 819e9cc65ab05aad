"""Signals of a call become its story, and at its end an entry."""

from __future__ import annotations

import msgspec
import pytest

from app.core.call import Call, CallOptions
from app.core.decision_trace import STEPS_MAX, DecisionTraces, facts_of, name_of
from app.core.identity import Caller
from app.core.request_log import RequestEntry, RequestQuery, Step
from app.core.signals import CallEnded, CallRefused, CallStarted, FellBack, Listener, Overloaded, Signal
from app.core.usage import Usage
from tests.support.calls import a_call
from tests.support.virtual_time import EPOCH_S, START_S, VirtualClock

STARTED = CallStarted("req_1", "chat", "fast", stream=False)
MOVED = FellBack("req_1", "acme/small", "box/large", "target_busy")
ENDED = CallEnded(
    *("req_1", "chat", "fast", "box", "large"),
    stream=False,
    outcome="completed",
    status=200,
    code="",
    category="",
    attempts=2,
    position=1,
    duration_s=0.25,
    overhead_s=0.001,
    first_token_s=0.1,
    tokens_per_s=20.04,
    usage=Usage(3, 4, 7),
    cost_usd=0.01,
    trace_id="t",
)


class Ears:
    """Where listeners come and go."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def add(self, *listeners: Listener) -> None:
        """Add listeners."""
        self.listeners += listeners

    def remove(self, listener: Listener) -> None:
        """Take a listener away."""
        self.listeners.remove(listener)

    def say(self, *signals: Signal) -> None:
        """Tell all listeners."""
        for signal in signals:
            for listener in list(self.listeners):
                listener(signal)


class Desk:
    """Stories that are all kept."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.kept: list[RequestEntry] = []
        self.stories = DecisionTraces(self.clock, Ears(), self.kept.append)

    def hear(self, *signals: Signal) -> None:
        """Tell the stories."""
        for signal in signals:
            self.stories(signal)


def known_call(**caller: object) -> Call:
    """Return a call of somebody in particular."""
    call = a_call(options=CallOptions(session="s-1", tags=("own",)))
    call.journal.cache = "miss"
    return msgspec.structs.replace(call, caller=Caller("team-a", "team-a", **caller))  # type: ignore[arg-type]


async def test_a_call_becomes_an_entry() -> None:
    """Its figures are those of its end, its caller that of the stage, its story what happened in between."""
    desk = Desk()

    desk.hear(STARTED)
    desk.stories.follow(known_call(team="x", user="y", tags=("key",)))
    await desk.clock.sleep(0.5)
    desk.hear(MOVED, ENDED)

    (found,) = desk.kept
    assert found == RequestEntry(
        id="req_1",
        at=EPOCH_S + 0.5,
        endpoint="chat",
        model="fast",
        stream=False,
        outcome="completed",
        status=200,
        duration_ms=250.0,
        overhead_ms=1.0,
        attempts=2,
        position=1,
        provider="box",
        target_model="large",
        first_token_ms=100.0,
        tokens_per_s=20.0,
        prompt_tokens=3,
        completion_tokens=4,
        cost_usd=0.01,
        cache="miss",
        key="team-a",
        team="x",
        user="y",
        session="s-1",
        tags=("key", "own"),
        trace_id="t",
        steps=(Step(500.0, "fell_back", {"origin": "acme/small", "onward": "box/large", "code": "target_busy"}),),
    )


async def test_nobody_in_particular_has_no_name() -> None:
    """A caller without a key is not listed under one."""
    desk = Desk()

    desk.hear(STARTED)
    desk.stories.follow(a_call())
    desk.hear(ENDED)

    assert (desk.kept[0].key, desk.kept[0].team) == ("", "")


async def test_a_call_that_was_refused_before_its_caller_was_known_is_kept_too() -> None:
    """So are requests that never became a call."""
    desk = Desk()

    desk.hear(STARTED, msgspec.structs.replace(ENDED, outcome="failed", status=401, usage=None, first_token_s=None))
    desk.hear(CallRefused("req_2", "chat", 400, "invalid_json"))

    assert [(found.id, found.outcome, found.status) for found in desk.kept] == [
        ("req_1", "failed", 401),
        ("req_2", "refused", 400),
    ]
    assert desk.kept[0].prompt_tokens is None


async def test_signals_that_name_no_call_are_nobodys() -> None:
    """What concerns the whole gateway, or a call that is not followed, is in no story."""
    desk = Desk()

    desk.hear(STARTED, Overloaded(1, 2, 3, 4), msgspec.structs.replace(MOVED, request_id="req_9"), ENDED, ENDED)

    assert [found.steps for found in desk.kept] == [()]


async def test_calls_of_one_id_do_not_see_each_others_steps() -> None:
    """Who chooses an id that another call has learns nothing of that call: neither has a story any more."""
    desk = Desk()

    desk.hear(STARTED)
    first = desk.stories.follow(known_call())
    desk.hear(MOVED, STARTED)
    second = desk.stories.follow(a_call())
    desk.hear(MOVED, ENDED, MOVED, ENDED, STARTED, MOVED, ENDED)

    assert first == second == []
    assert [(found.shared, len(found.steps), found.key) for found in desk.kept] == [
        (True, 0, ""),
        (True, 0, ""),
        (False, 1, ""),
    ]


async def test_a_story_is_bounded() -> None:
    """Whatever happens to a call, its story has an end."""
    desk = Desk()

    desk.hear(STARTED, *[MOVED] * (STEPS_MAX + 10), ENDED)

    assert len(desk.kept[0].steps) == STEPS_MAX


async def test_where_nobody_keeps_them_only_what_is_asked_for_is_followed() -> None:
    """The stories listen from the first call that is followed to the end of the last, and keep nothing."""
    ears = Ears()
    stories = DecisionTraces(VirtualClock(), ears)
    before = list(ears.listeners)

    ears.say(STARTED)
    steps = stories.follow(a_call(started=START_S - 0.5))
    during = list(ears.listeners)
    stories.follow(msgspec.structs.replace(a_call(), id="req_2"))
    ears.say(MOVED, STARTED, CallRefused("req_3", "chat", 400, "invalid_json"), ENDED)
    between = list(ears.listeners)
    ears.say(msgspec.structs.replace(ENDED, request_id="req_2"))

    assert (before, during, between, ears.listeners) == ([], [stories], [stories], [])
    assert [(step.at_ms, step.what) for step in steps] == [(500.0, "fell_back")]


def test_a_step_is_shown_without_what_is_empty() -> None:
    """Unknown facts are left out; zero and false are facts."""
    assert Step(1.5, "x", {"a": "", "b": None, "c": 0, "d": False}).shown() == {
        "at_ms": 1.5,
        "what": "x",
        "c": 0,
        "d": False,
    }


def test_a_signal_is_told_by_name_and_facts() -> None:
    """The type names it; which call it is about, and what is more than a fact, is left out."""
    assert name_of(MOVED) == "fell_back"
    assert facts_of(MOVED) == {"origin": "acme/small", "onward": "box/large", "code": "target_busy"}
    assert not {"request_id", "usage"} & facts_of(ENDED).keys()


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (RequestQuery(), True),
        (RequestQuery(id="req_1", status=200), True),
        (RequestQuery(id="req_1", status=500), False),
        (RequestQuery(since=10.0, before=10.5), True),
        (RequestQuery(since=10.1), False),
        (RequestQuery(before=10.0), False),
        (RequestQuery(min_duration_ms=6.0), False),
    ],
)
def test_a_query_admits_what_has_all_that_it_names(query: RequestQuery, *, wanted: bool) -> None:
    """Bounds and equalities narrow each other."""
    entry = RequestEntry("req_1", 10.0, "chat", "fast", False, "completed", 200, 5.0, 0.5)

    assert query.admits(entry) is wanted
