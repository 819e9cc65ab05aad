"""
What tests of the pipeline are made of: calls and attempts, events and answers, and an endpoint that follows a script.

Nothing here looks into the code under test: the endpoint is an ordinary handler, and what became of a connection or a
call can be read from it afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import msgspec

from app.core.call import Attempt, Call, CallOptions, Journal, Reply, Target
from app.core.errors import GatewayError, Kind
from app.core.model import ChatFields, ChatRequest, Chunk, Completion, Request, StreamEvent, Weight
from app.core.outcome import Outcome
from app.core.stream import Batch, CommitRule, EventStream
from app.core.usage import Usage
from tests.support.virtual_time import START_S

TARGET = Target("acme", "small")
OTHER = Target("box", "large")
THIRD = Target("cloud", "huge")
TOTAL_S = 300.0

Step: TypeAlias = Callable[[Call], Awaitable[Reply]]
Sent: TypeAlias = (
    StreamEvent | Batch | float | BaseException
)  # an event, several at once, a pause in seconds, a failure


# --- requests --------------------------------------------------------------------------------------------------------


def chat_request(raw: bytes) -> ChatRequest:
    """Decode a body the way the edge does."""
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def asking(text: str = "hi", **fields: object) -> ChatRequest:
    """Return a request with one user message; `fields` add to the body or replace parts of it."""
    body = {"model": "fast", "messages": [{"role": "user", "content": text}], **fields}
    return chat_request(msgspec.json.encode(body))


def a_call(
    request: Request | None = None,
    *,
    started: float = START_S,
    total_s: float = TOTAL_S,
    options: CallOptions | None = None,
) -> Call:
    """Return a call that was started at `started` and may take `total_s`."""
    return Call(
        id="req_1",
        endpoint="chat",
        request=request or asking(),
        started=started,
        deadline=started + total_s,
        options=options or CallOptions(),
        headers=(),
        journal=Journal(),
    )


def an_attempt(call: Call | None = None, target: Target = TARGET, *, last: bool = True) -> Attempt:
    """Return an attempt of a call at a target."""
    return Attempt(call or a_call(), target, last)


# --- events of a stream ----------------------------------------------------------------------------------------------


def event(payload: object, weight: Weight) -> StreamEvent:
    """Return one event with its frame, as a decoder would."""
    encoded = msgspec.json.encode(payload)
    return StreamEvent(b"data: %b\n\n" % encoded, msgspec.json.decode(encoded, type=Chunk), weight)


def role() -> StreamEvent:
    """Return the event with which most streams begin; it says nothing."""
    return event({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, Weight.NOTHING)


def thought(text: str = "hm") -> StreamEvent:
    """Return a piece of reasoning."""
    return event({"choices": [{"delta": {"reasoning_content": text}}]}, Weight.THOUGHT)


def word(text: str = "hello") -> StreamEvent:
    """Return a piece of the answer's text."""
    return event({"choices": [{"delta": {"content": text}}]}, Weight.ANSWER)


def usage(prompt: int, completion: int) -> StreamEvent:
    """Return the event that reports the tokens."""
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event({"choices": [], "usage": counted}, Weight.NOTHING)


def done() -> StreamEvent:
    """Return `[DONE]`."""
    return StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)


# --- the upstream side of a stream -----------------------------------------------------------------------------------


class Line:
    """One scripted connection: what it sends, and what became of it (`log`: sent, ended, released)."""

    def __init__(self, *script: Sent) -> None:
        self._script = script
        self.log: list[str] = []

    @property
    def released(self) -> int:
        """Return how often the connection was given back."""
        return self.log.count("released")

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Play the script; `ended` is logged when the generator is left, however that happens."""
        try:
            for item in self._script:
                if isinstance(item, float):
                    await asyncio.sleep(item)
                elif isinstance(item, BaseException):
                    raise item
                else:
                    self.log.append("sent")
                    yield [item] if isinstance(item, StreamEvent) else item
        finally:
            self.log.append("ended")

    async def release(self) -> None:
        """Give the connection back."""
        self.log.append("released")

    def stream(self) -> EventStream:
        """Return the stream over this connection, not yet primed."""
        return EventStream(self.batches(), self.release)


class Rule(CommitRule, frozen=True):
    """A commit rule; the default is `visible`."""

    weight: Weight = Weight.THOUGHT
    held_max_bytes: int = 65_536


# --- endpoints -------------------------------------------------------------------------------------------------------


class FakeProvider:
    """The innermost handler: answers each try with the next step of its script. `asked` lists what it was given."""

    def __init__(self, *script: Step) -> None:
        self._script = list(script)
        self.asked: list[Call | Attempt] = []

    @property
    def attempts(self) -> list[Attempt]:
        """Return the attempts it was given, in order."""
        return [asked for asked in self.asked if isinstance(asked, Attempt)]

    @property
    def targets(self) -> list[Target]:
        """Return the targets of the attempts, in order."""
        return [attempt.target for attempt in self.attempts]

    async def __call__(self, asked: Call | Attempt) -> Reply:
        """Play the next step."""
        self.asked.append(asked)
        call = asked.call if isinstance(asked, Attempt) else asked
        call.journal.attempts += 1
        return await self._script.pop(0)(call)


def answers(text: str = "hello", *, after_s: float = 0.0, usage: Usage | None = None) -> Step:
    """Return a whole answer."""

    async def step(_call: Call) -> Reply:
        await asyncio.sleep(after_s)
        return Reply(Completion(msgspec.json.encode({"choices": [{"message": {"content": text}}]}), usage, ("stop",)))

    return step


def streams(line: Line, rule: Rule | None = None) -> Step:
    """Return the stream of `line`, read up to its commit point."""

    async def step(_call: Call) -> Reply:
        stream = line.stream()
        await stream.prime(rule or Rule())
        return Reply(stream)

    return step


def raises(error: BaseException, *, after_s: float = 0.0) -> Step:
    """Fail with `error`."""

    async def step(_call: Call) -> Reply:
        await asyncio.sleep(after_s)
        raise error

    return step


def fails(kind: Kind, *, retry_after_s: float | None = None, after_s: float = 0.0) -> Step:
    """Fail with a row of the error table."""
    return raises(GatewayError(kind, f"scripted {kind.code}", retry_after_s=retry_after_s), after_s=after_s)


def hangs() -> Step:
    """Never answer."""
    return raises(AssertionError("a step that hangs came to its end"), after_s=1e9)


# --- what became of it -----------------------------------------------------------------------------------------------


class Witness:
    """A finisher that keeps what it is told; one that `waits_s` needs that long before it has taken note."""

    def __init__(self, waits_s: float | None = None) -> None:
        self._waits_s = waits_s
        self.told: list[Outcome] = []

    def __call__(self, outcome: Outcome) -> Awaitable[None] | None:
        """Take note of an outcome."""
        if self._waits_s is None:
            self.told.append(outcome)
            return None
        return self._later(outcome, self._waits_s)

    async def _later(self, outcome: Outcome, waits_s: float) -> None:
        await asyncio.sleep(waits_s)
        self.told.append(outcome)


async def text_of(reply: Reply) -> str:
    """Read a reply to its end and return its text."""
    if isinstance(reply.body, Completion):
        text: str = msgspec.json.decode(reply.body.raw)["choices"][0]["message"]["content"]
        return text
    return text_in([event async for batch in reply.body for event in batch])


def text_in(events: list[StreamEvent]) -> str:
    """Join the text of events."""
    deltas = [choice.delta for event in events if event.chunk is not None for choice in event.chunk.choices]
    return "".join(delta.content for delta in deltas if isinstance(delta.content, str))
