"""Prompts that are marked, so that attacks fail or show."""

from __future__ import annotations

import msgspec

from app.core.call import Call
from app.core.guards.checks import Tripwire
from app.core.guards.spotlight import Spotlight
from app.core.model import Operation, PlainRequest
from app.core.per_route import PerRoute
from app.core.pipeline import compose
from app.stages.mark_prompt import MarkPrompt, PromptMarks
from tests.support.calls import FakeProvider, a_call, answers, asking

TRIPWIRE = Tripwire(b"k")
RESULT = {"role": "tool", "tool_call_id": "c", "content": "a b"}
INSTRUCTED = asking(messages=[{"role": "system", "content": "s"}, RESULT])


async def sent(call: Call, marks: PromptMarks | None) -> Call:
    """Return what goes on of a call."""
    provider = FakeProvider(answers())
    await compose([MarkPrompt(PerRoute(marks, {}))], provider)(call)
    (asked,) = provider.asked
    assert isinstance(asked, Call)
    return asked


async def test_prompts_are_marked() -> None:
    """Tool results are, and the system prompt with the tripwire."""
    both = (await sent(a_call(INSTRUCTED), PromptMarks(Spotlight.MARK, TRIPWIRE, b"k"))).request.raw
    spotlit = (await sent(a_call(INSTRUCTED), PromptMarks(Spotlight.MARK, key=b"k"))).request.raw

    assert ["a\u02c6b".encode() in raw for raw in (both, spotlit)] == [True, True]
    assert [TRIPWIRE.mark.encode() in raw for raw in (both, spotlit)] == [True, False]


async def test_what_needs_no_mark_passes_untouched() -> None:
    """A prompt with neither, another operation, and a route without marks."""
    marks = PromptMarks(Spotlight.MARK, TRIPWIRE, b"k")
    simple = a_call(asking("hi"))
    plain = msgspec.structs.replace(a_call(), request=PlainRequest(Operation.EMBEDDINGS, "fast", b"{}"))
    free = a_call(INSTRUCTED)

    assert await sent(simple, marks) is simple
    assert await sent(plain, marks) is plain
    assert await sent(free, None) is free
