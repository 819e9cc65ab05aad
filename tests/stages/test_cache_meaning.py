"""Answers to similar questions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.core.caching.semantic import Semantics
from app.core.caching.stored import Selection
from app.core.call import Call, Reply
from app.core.errors import TARGET_FAILED, GatewayError
from app.core.model import Completion, PlainRequest
from app.state.vectors.memory import MemoryVectors
from tests.stages.caching import House, ScriptedShare, says, sings
from tests.support.calls import Step, text_of
from tests.support.virtual_time import VirtualClock

VECTORS = {"How tall is it?": "1, 0", "What is its height?": "0.97, 0.25", "What does it cost?": "0, 1"}


class Embedding(House):
    """A gateway with a model for vectors; `embedded` lists what that was asked."""

    def __init__(self, clock: VirtualClock, *script: Step, shared: ScriptedShare | None = None) -> None:
        super().__init__(clock, *script, shared=shared)
        self.semantics = Semantics("box/embed", 0.95, 2.0, MemoryVectors(100), clock)
        self.embedded: list[str] = []
        self.broken = False

    async def _located(self, call: Call) -> Reply:
        if not isinstance(call.request, PlainRequest):
            return await super()._located(call)
        text = call.request.text[0]
        self.embedded.append(text)
        if self.broken:
            raise GatewayError(TARGET_FAILED, "no")
        return Reply(Completion(b'{"data":[{"embedding":[%b]}]}' % VECTORS.get(text, f"1, 0.{len(text)}").encode()))


@pytest.mark.parametrize("coalesce", [True, False])
async def test_a_similar_question_has_the_same_answer(clock: VirtualClock, coalesce: bool) -> None:
    """The answer says how similar its question was; a question that is not similar is asked."""
    house = Embedding(clock, says("300 m"), says("9 €"))
    handler = house.handler(coalesce=coalesce)
    calls = [house.call(text) for text in VECTORS]

    texts = [await text_of(await handler(call)) for call in calls]

    assert texts == ["300 m", "300 m", "9 €"]
    assert [call.journal.cache for call in calls] == ["miss", "hit", "miss"]
    assert calls[1].journal.notes == {"x-wizard-cache-similarity": "0.9684", "age": "0"}
    assert "x-wizard-cache-similarity" not in calls[2].journal.notes


async def test_the_same_question_needs_no_vector(clock: VirtualClock) -> None:
    """An answer that is found by its key is given at once; equal calls at the same time ask for one vector."""
    house = Embedding(clock, says("300 m", after_s=1.0))
    handler = house.handler()

    await asyncio.gather(*[handler(house.call("How tall is it?")) for _ in range(5)])
    await handler(house.call("How tall is it?"))

    assert house.embedded == ["How tall is it?"]


async def test_streams_are_found_too(clock: VirtualClock) -> None:
    """What was streamed is found by meaning, and streamed again."""
    house = Embedding(clock, sings("300 ", "m"))
    handler = house.handler()

    texts = [await text_of(await handler(house.stream(text))) for text in ("How tall is it?", "What is its height?")]

    assert texts == ["300 m", "300 m"]


@pytest.mark.parametrize(
    "options",
    [{"cache_similarity": 0.99}, {"directives": {"no-cache": None}}, {"directives": {"no-store": None}}],
    ids=str,
)
async def test_a_caller_may_want_more(clock: VirtualClock, options: dict[str, Any]) -> None:
    """A caller can ask for more similarity, or for no stored answer at all."""
    house = Embedding(clock, says("300 m"), says("own"))
    handler = house.handler()
    await handler(house.call("How tall is it?"))

    assert await text_of(await handler(house.call("What is its height?", **options))) == "own"


async def test_only_if_cached_asks_nobody(clock: VirtualClock) -> None:
    """A caller that wants no provider to be asked gets no vector either."""
    house = Embedding(clock, says("300 m"))
    handler = house.handler()
    await handler(house.call("How tall is it?"))

    with pytest.raises(GatewayError):
        await handler(house.call("What is its height?", directives={"only-if-cached": None}))

    assert house.embedded == ["How tall is it?"]


@pytest.mark.parametrize("loss", ["deleted", "stale"])
async def test_an_answer_that_is_gone_is_not_found(clock: VirtualClock, loss: str) -> None:
    """The question of an answer that was deleted or is too old is forgotten."""
    house = Embedding(clock, says("300 m"), says("own"), says("never"))
    handler = house.handler()
    await handler(house.call("How tall is it?"))
    if loss == "deleted":
        house.shelf.remove(Selection())
    else:
        await asyncio.sleep(61.0)

    texts = [await text_of(await handler(house.call("What is its height?"))) for _ in range(2)]

    assert texts == ["own", "own"]


async def test_another_similar_question_may_still_have_an_answer(clock: VirtualClock) -> None:
    """Where the answer to the most similar question is gone, that to the next one will do."""
    house = Embedding(clock, says("300 m"), says("a tower"))
    handler = house.handler()
    await handler(house.call("How tall is it?"))
    gone = house.call("What is its height?", cache_similarity=1.0, debug=True)
    await handler(gone)
    house.shelf.remove(Selection(key=gone.journal.notes["x-wizard-cache-key"]))

    assert await text_of(await handler(house.call("What is its height?"))) == "300 m"


async def test_a_call_does_not_look_for_ever(clock: VirtualClock) -> None:
    """Where the answers to several similar questions are gone, it is asked."""
    house = Embedding(clock, *[says("old")] * 5, says("own"))
    handler = house.handler()
    for text in ("a", "aa", "aaa", "aaaa", "aaaaa"):
        await handler(house.call(text, cache_similarity=1.0))
    house.shelf.remove(Selection())

    assert await text_of(await handler(house.call("aaaaaa"))) == "own"


async def test_without_a_vector_calls_go_on(clock: VirtualClock) -> None:
    """A model for vectors that is down costs nobody an answer."""
    house = Embedding(clock, says("a"), says("b"))
    house.broken = True
    handler = house.handler()

    texts = [await text_of(await handler(house.call(text))) for text in ("How tall is it?", "What is its height?")]

    assert texts == ["a", "b"]


async def test_a_similar_answer_is_told_to_other_replicas(clock: VirtualClock) -> None:
    """Whoever follows the call gets it as well."""
    share = ScriptedShare()
    house = Embedding(clock, says("300 m"), shared=share)
    handler = house.handler()

    texts = [await text_of(await handler(house.call(text))) for text in ("How tall is it?", "What is its height?")]

    assert texts == ["300 m", "300 m"]
    assert share.told == ["300 m", "300 m"]
