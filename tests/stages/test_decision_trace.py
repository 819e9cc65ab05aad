"""Who is followed, and who sees what became of it."""

from __future__ import annotations

import pytest

from app.core.call import CallOptions
from app.core.decision_trace import DecisionTraces
from app.core.pipeline import compose
from app.stages.decision_trace import DecisionTrace
from tests.core.test_decision_trace import ENDED, MOVED, Ears
from tests.support.calls import FakeProvider, a_call, answers, text_of
from tests.support.virtual_time import VirtualClock


@pytest.mark.parametrize(
    ("debug", "allowed", "everybody", "shown", "followed"),
    [
        (True, True, False, True, True),
        (True, False, False, False, False),
        (False, True, False, False, False),
        (False, True, True, False, True),
        (True, True, True, True, True),
    ],
)
async def test_a_story_is_shown_to_who_asks_and_may_see_it(
    *, debug: bool, allowed: bool, everybody: bool, shown: bool, followed: bool
) -> None:
    """Asking alone is not enough, and being allowed to is no wish; the call itself goes on in any case."""
    ears = Ears()
    stories = DecisionTraces(VirtualClock(), ears)
    call = a_call(options=CallOptions(debug=debug))

    reply = await compose(
        [DecisionTrace(stories, lambda _caller: allowed, everybody=everybody)], FakeProvider(answers())
    )(call)
    ears.say(MOVED)

    assert await text_of(reply) == "hello"
    assert (call.journal.story is not None) is shown
    assert bool(ears.listeners) is followed
    if call.journal.story is not None:
        assert [step.what for step in call.journal.story] == ["fell_back"]
    ears.say(ENDED)
