"""Which questions may be compared, and what is asked for that."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from app.core.caching.canonical import canonical
from app.core.caching.keys import Keys
from app.core.caching.semantic import Meaning, Near, Semantics, meaning_of
from app.core.call import Call, Reply
from app.core.errors import TARGET_FAILED, GatewayError
from app.core.identity import Caller
from app.core.model import ChatRequest, Completion, Native, Operation, PlainRequest
from tests.core.caching.making import call_of
from tests.support.calls import Line, a_call
from tests.support.virtual_time import VirtualClock

KEYS = Keys("key", frozenset(), lambda _model: "")
TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How tall is it?"}]


def meaning(call: Call) -> Meaning | None:
    """Return what can be compared of a call."""
    return meaning_of(call, canonical(call.request.raw) or {}, KEYS)


def talk(**fields: Any) -> Call:  # noqa: ANN401 - parts of a body
    """Return a plain conversation."""
    return call_of({"model": "fast", "messages": TALK, **fields})


def test_the_last_question_is_compared_and_all_else_has_to_be_equal() -> None:
    """Two questions in the same midst share a space; another instruction, temperature or tenant is another space."""
    other_text = [TALK[0], {"role": "user", "content": "What is its height?"}]
    other_rule = [{"role": "system", "content": "Be long."}, TALK[1]]
    tenant = call_of({"model": "fast", "messages": TALK}, Caller("k", "t"))

    first, second = meaning(talk()), meaning(talk(messages=other_text))
    others = [meaning(each) for each in (talk(messages=other_rule), talk(temperature=0), tenant)]

    assert first is not None
    assert second is not None
    assert (first.text, second.text) == ("How tall is it?", "What is its height?")
    assert first.space == second.space
    assert len({first.space, *[each.space for each in others if each is not None]}) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"functions": [{"name": "f"}]},
        {"n": 2},
        {"messages": [*TALK, {"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": " "}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        {"messages": []},
    ],
    ids=str,
)
def test_what_is_never_compared(fields: dict[str, Any]) -> None:
    """Tools, several choices, and a last message that is no plain text of the user."""
    assert meaning(talk(**fields)) is None


def test_other_dialects_and_operations_are_never_compared() -> None:
    """What is said beyond the canonical form could not be seen."""
    call = talk()
    assert isinstance(call.request, ChatRequest)
    native = msgspec.structs.replace(call.request, origin=Native("anthropic", b"{}"))
    vector = PlainRequest(Operation.EMBEDDINGS, "m", b"{}")

    found = [meaning(msgspec.structs.replace(call, request=request)) for request in (native, vector)]

    assert found == [None, None]


class Index:
    """An index with one answer; `seen` is what it was told."""

    def __init__(self, similarity: float) -> None:
        self.similarity = similarity
        self.seen: list[Any] = []

    def add(self, space: str, key: str, vector: object, kept_s: float) -> None:
        """Take note."""
        self.seen.append((space, key, vector, kept_s))

    async def nearest(self, space: str, vector: object) -> Near | None:
        """Return the one."""
        self.seen.append((space, vector))
        return Near("k", self.similarity)

    def forget(self, space: str, key: str) -> None:
        """Take note."""
        self.seen.append((space, key))

    def purge(self, prefix: str) -> None:
        """Take note."""
        self.seen.append((prefix,))


def semantics(clock: VirtualClock, similarity: float = 0.96) -> Semantics:
    """Return what compares, with a threshold of 0.95."""
    return Semantics("box/embed", 0.95, 2.0, Index(similarity), clock)


@pytest.mark.parametrize(
    ("similarity", "least", "found"),
    [(0.96, None, True), (0.94, None, False), (0.96, 0.5, True), (0.96, 0.97, False), (0.94, 0.5, False)],
)
async def test_a_caller_can_only_ask_for_more(
    clock: VirtualClock, similarity: float, least: float | None, found: bool
) -> None:
    """The threshold of the operator is the least."""
    near = await semantics(clock, similarity).nearest(Meaning("s", "t"), (1.0,), least)

    assert (near is not None) is found


async def test_a_vector_is_asked_for_like_any_answer(clock: VirtualClock) -> None:
    """The embedding model is asked with the question alone, for so long; what it costs the call has cost."""
    asked: list[Call] = []

    async def proceed(call: Call) -> Reply:
        asked.append(call)
        return Reply(Completion(b'{"data":[{"embedding":[0.5,-1]}],"future":1}'))

    call = a_call(started=clock.now())
    vector = await semantics(clock).vector(Meaning("s", "How?"), call, proceed)

    assert vector == [0.5, -1.0]
    assert isinstance(asked[0].request, PlainRequest)
    assert asked[0].request.operation is Operation.EMBEDDINGS
    assert msgspec.json.decode(asked[0].request.raw) == {
        "model": "box/embed",
        "input": "How?",
        "encoding_format": "float",
    }
    assert asked[0].deadline == clock.now() + 2.0
    assert asked[0].journal is not call.journal
    assert asked[0].journal.cost is call.journal.cost


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"data":[]}', b'{"data":[{"embedding":[]}]}', b'{"data":[{"embedding":"AAA="}]}'], ids=str
)
async def test_a_vector_that_is_none(clock: VirtualClock, body: bytes) -> None:
    """What cannot be understood is as good as no vector."""

    async def proceed(_call: Call) -> Reply:
        return Reply(Completion(body))

    assert await semantics(clock).vector(Meaning("s", "t"), a_call(started=clock.now()), proceed) is None


@pytest.mark.parametrize("case", ["fails", "hangs", "streams"])
async def test_a_call_never_suffers_from_a_missing_vector(clock: VirtualClock, case: str) -> None:
    """A model that fails, takes too long, or answers with a stream makes no call fail."""

    async def proceed(_call: Call) -> Reply:
        if case == "fails":
            raise GatewayError(TARGET_FAILED, "no")
        if case == "hangs":
            await asyncio.sleep(1e6)
        return Reply(Line().stream())

    began = clock.now()
    found = await semantics(clock).vector(Meaning("s", "t"), a_call(started=began), proceed)

    assert found is None
    assert clock.now() - began == (2.0 if case == "hangs" else 0.0)
