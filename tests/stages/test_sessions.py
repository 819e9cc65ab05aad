"""Going on with a conversation that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from app.core.call import Call, CallOptions, Reply
from app.core.errors import (
    SESSION_EXPIRED,
    SESSION_FULL,
    SESSION_NOT_FOUND,
    STATE_UNAVAILABLE,
    TARGET_FAILED,
    GatewayError,
)
from app.core.identity import Caller
from app.core.model import ChatRequest, Completion, Operation, PlainRequest, StreamEvent, Weight
from app.core.pipeline import compose
from app.core.sessions import Head, Session, Turn
from app.core.signals import SessionTurnKept, SessionTurnLost, Signal
from app.core.stream import EventStream
from app.stages.sessions import SessionOptions, Sessions
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from tests.support.calls import (
    FakeProvider,
    Line,
    Step,
    a_call,
    answers,
    asking,
    chat_request,
    done,
    event,
    fails,
    role,
    streams,
    text_of,
    usage,
    word,
)
from tests.support.virtual_time import VirtualClock

EVE = Caller("eve", "eve")
ENDING = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def finish() -> StreamEvent:
    """Return the event that ends a choice."""
    return event(ENDING, Weight.ANSWER)


class Talk:
    """A store with one session of eve's, and the stage before a provider. `told` lists the signals."""

    def __init__(
        self, clock: VirtualClock, *script: Step, window: int | None = None, store: MemorySessions | None = None
    ) -> None:
        self.told: list[Signal] = []
        self.clock = clock
        self.store = store or MemorySessions(StoreLimits(10, 100_000), clock)
        self.provider = FakeProvider(*script)
        options = SessionOptions(
            max_bytes=500,
            window=lambda _model: window,
            estimate=lambda request: len(request.fields.messages),
            answer=lambda request: request.fields.max_tokens,
        )
        self.handler = compose([Sessions(options, self.store, self.told.append)], self.provider)

    async def begin(self, *messages: bytes) -> None:
        """Keep the session."""
        now_wall = self.clock.wall()
        head = Head("sess_1", "eve", now_wall, now_wall + 100, 100.0, messages=len(messages))
        await self.store.create(Session(head, (), messages))

    def call(self, text: str = "hi", *, session: str | None = "sess_1", caller: Caller = EVE, **fields: object) -> Call:
        """Return a call in the session."""
        call = a_call(asking(text, **fields), options=CallOptions(session=session))
        return msgspec.structs.replace(call, caller=caller)

    @property
    def asked(self) -> list[list[object]]:
        """Return the texts of the messages that the provider was asked each time."""
        return [
            [message.content for message in asked.request.fields.messages]
            for asked in self.provider.asked
            if isinstance(asked, Call) and isinstance(asked.request, ChatRequest)
        ]

    async def kept(self) -> list[tuple[str, object]]:
        """Return role and text of the messages that are kept."""
        session = await self.store.load("eve", "sess_1")
        found = [msgspec.json.decode(message) for message in session.messages]
        return [(message["role"], message["content"]) for message in found]


async def refusal(asked: Any) -> GatewayError:  # noqa: ANN401 - a coroutine
    """Return why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked
    return caught.value


def words(*texts: str) -> Line:
    """Return a complete stream."""
    return Line(role(), *[word(text) for text in texts], finish(), usage(1, 2), done())


async def test_turns_build_on_each_other(clock: VirtualClock) -> None:
    """Whole and streamed answers alike."""
    talk = Talk(clock, answers("one"), streams(words("t", "wo")), answers("three"))
    await talk.begin()

    texts = [
        await text_of(await talk.handler(talk.call(text, stream=stream)))
        for text, stream in (("1", False), ("2", True), ("3", False))
    ]

    assert texts == ["one", "two", "three"]
    assert talk.asked == [["1"], ["1", "one", "2"], ["1", "one", "2", "two", "3"]]
    assert await talk.kept() == [
        ("user", "1"),
        ("assistant", "one"),
        ("user", "2"),
        ("assistant", "two"),
        ("user", "3"),
        ("assistant", "three"),
    ]
    assert talk.told == [SessionTurnKept(0)] * 3


@pytest.mark.parametrize("session", [None, "", "my-own-word", "session_1"])
async def test_other_words_only_say_what_belongs_together(clock: VirtualClock, session: str | None) -> None:
    """The call passes by as it is."""
    talk = Talk(clock, answers())
    call = talk.call(session=session)

    await talk.handler(call)

    assert talk.provider.asked == [call]


async def test_what_is_no_chat_has_no_past(clock: VirtualClock) -> None:
    """It passes by as it is."""
    talk = Talk(clock, answers())
    call = msgspec.structs.replace(talk.call(), request=PlainRequest(Operation.EMBEDDINGS, "m", b"{}"))

    await talk.handler(call)

    assert talk.provider.asked == [call]


@pytest.mark.parametrize("caller", [EVE, Caller("mallory", "mallory")], ids=["unknown", "of somebody else"])
async def test_a_session_that_is_not_there(clock: VirtualClock, caller: Caller) -> None:
    """An id of ours has to exist, for this caller; nothing is asked of a provider."""
    talk = Talk(clock)
    if caller is not EVE:
        await talk.begin()

    assert (await refusal(talk.handler(talk.call(caller=caller)))).kind is SESSION_NOT_FOUND
    assert not talk.provider.asked


async def test_a_session_that_expired(clock: VirtualClock) -> None:
    """The caller learns that, and what to do."""
    talk = Talk(clock)
    await talk.begin()
    await asyncio.sleep(100.0)

    error = await refusal(talk.handler(talk.call()))

    assert (error.kind, error.param) == (SESSION_EXPIRED, "session_id")
    assert "POST /v1/sessions" in error.suggestion


async def test_a_full_session(clock: VirtualClock) -> None:
    """The turn that would not fit is refused before anybody is asked; a smaller one still goes."""
    talk = Talk(clock, answers())
    await talk.begin()

    refused = await refusal(talk.handler(talk.call("x" * 500)))
    await talk.handler(talk.call("x" * 300))
    instructed = asking().raw.replace(b"[", b'[{"role":"system","content":"%b"},' % (b"x" * 500), 1)
    call = talk.call()
    rules = await refusal(talk.handler(msgspec.structs.replace(call, request=chat_request(instructed))))

    assert [refused.kind, rules.kind] == [SESSION_FULL, SESSION_FULL]
    assert "500 bytes" in refused.message
    assert len(talk.provider.asked) == 1


@pytest.mark.parametrize("ending", ["failure", "cut", "left", "unfinished"])
async def test_what_is_not_complete_is_not_kept(clock: VirtualClock, ending: str) -> None:
    """Neither the question nor half of an answer: the caller may try again, and nothing is there twice."""
    script: dict[str, Step] = {
        "failure": fails(TARGET_FAILED),
        "cut": streams(Line(word("ha"), GatewayError(TARGET_FAILED, "cut"))),
        "left": streams(words("ha", "lf")),
        "unfinished": streams(Line(word("ha"))),
    }
    talk = Talk(clock, script[ending], answers("again"))
    await talk.begin()

    call = talk.call(stream=ending != "failure")
    if ending == "left":
        reply = await talk.handler(call)
        assert isinstance(reply.body, EventStream)
        await anext(aiter(reply.body))
        await reply.body.aclose()
    elif ending == "unfinished":
        await text_of(await talk.handler(call))
    else:
        with pytest.raises(GatewayError):
            await text_of(await talk.handler(call))
    await talk.handler(talk.call("hi"))

    assert await talk.kept() == [("user", "hi"), ("assistant", "again")]


async def test_concurrent_turns_are_kept_whole(clock: VirtualClock) -> None:
    """In the order in which they were answered, each with its own answer."""
    talk = Talk(clock, answers("slow", after_s=2.0), answers("quick", after_s=1.0))
    await talk.begin()

    await asyncio.gather(talk.handler(talk.call("first")), talk.handler(talk.call("second")))

    assert talk.asked == [["first"], ["second"]]
    assert await talk.kept() == [
        ("user", "second"),
        ("assistant", "quick"),
        ("user", "first"),
        ("assistant", "slow"),
    ]


async def test_a_long_past_is_trimmed(clock: VirtualClock) -> None:
    """The caller is told by how much; all of it stays kept. The room of the answer is what the request says."""
    past = [b'{"role":"%b","content":"%d"}' % ((b"user", b"assistant")[n % 2], n) for n in range(6)]
    talk = Talk(clock, answers(), answers(), window=8)
    await talk.begin(*past)
    call, other = talk.call(max_tokens=5), talk.call()

    await talk.handler(call)
    await talk.handler(other)

    assert talk.asked == [["4", "5", "hi"], ["4", "5", "hi", "hello", "hi"]]
    assert [call.journal.notes, other.journal.notes] == [
        {"x-wizard-session-trimmed": "4"},
        {"x-wizard-session-trimmed": "4"},
    ]
    assert len(await talk.kept()) == 10
    assert talk.told == [SessionTurnKept(4), SessionTurnKept(4)]


class Fragile(MemorySessions):
    """A store that cannot be added to."""

    error = GatewayError(STATE_UNAVAILABLE, "gone")

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:  # noqa: ARG002 - the port's
        """Refuse."""
        raise self.error


class Forgetful(Fragile):
    """A store whose session is deleted in the meantime."""

    error = GatewayError(SESSION_NOT_FOUND, "gone")


@pytest.mark.parametrize(
    ("kind", "stream", "fails_too"), [(Fragile, False, True), (Fragile, True, False), (Forgetful, False, False)]
)
async def test_a_turn_that_cannot_be_added(
    clock: VirtualClock, kind: Callable[..., MemorySessions], stream: bool, fails_too: bool
) -> None:
    """
    A whole answer fails with its store, so that the conversation has no gap.

    One that was streamed already, or whose session its owner has ended, is delivered. Each is reported.
    """
    store = kind(StoreLimits(10, 100_000), clock)
    talk = Talk(clock, streams(words("hello")) if stream else answers("hello"), store=store)
    await talk.begin()

    async def ask() -> str:
        return await text_of(await talk.handler(talk.call(stream=stream)))

    if fails_too:
        assert (await refusal(ask())).kind is STATE_UNAVAILABLE
    else:
        assert await ask() == "hello"
    assert talk.told == [SessionTurnLost("req_1", Fragile.error.kind.code if kind is Fragile else "session_not_found")]


async def test_an_answer_without_a_message(clock: VirtualClock) -> None:
    """It is delivered; there is nothing to keep."""

    async def nothing(_call: Call) -> Reply:
        return Reply(Completion(b'{"choices":[]}'))

    talk = Talk(clock, nothing)
    await talk.begin()

    await talk.handler(talk.call())

    assert await talk.kept() == []
    assert not talk.told
