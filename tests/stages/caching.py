"""A cache in its surroundings: the stage below a total timeout, over a script."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from app.core.caching.answers import Answers, Lifetimes, Places
from app.core.caching.broadcast import BroadcastBounds
from app.core.caching.flight_carrier import Carrier
from app.core.caching.keys import Keys
from app.core.caching.policy import CachePolicy
from app.core.caching.ports import LeaderGoneError, Looked, RemoteStream, SharedView, Shelf, Tally
from app.core.caching.semantic import Semantics
from app.core.caching.single_flight import Flight
from app.core.caching.stored import Origin, Selection, Stored
from app.core.call import Call, CallOptions, Reply, Target
from app.core.errors import GatewayError
from app.core.model import Completion, Operation, StreamEvent
from app.core.pipeline import Handler, compose
from app.core.usage import Usage
from app.stages.cache import Cache, CacheOptions
from app.stages.timeouts import TotalTimeout
from app.state.answers.caching import Caching
from app.state.answers.memory import ShelfBounds
from tests.core.answers.making import DONE, framed
from tests.support.calls import FakeProvider, Line, Step, a_call, asking, role, streams, usage, word
from tests.support.virtual_time import VirtualClock

TARGET = Target("acme", "small")
POLICY = CachePolicy(tuple(Operation))
LIFETIMES = Lifetimes(60.0, 0.0, 0.0, 0.0, {})
BOUNDS = BroadcastBounds(65_536, 1_000_000, 100_000)
FINISH = framed({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


class House:
    """A gateway of one stage; `provider.asked` lists what reached the provider."""

    def __init__(self, clock: VirtualClock, *script: Step, shared: ScriptedShare | None = None) -> None:
        self.clock = clock
        self.provider = FakeProvider(*script)
        self.caching = Caching()
        self.shared = shared
        self.semantics: Semantics | None = None
        self.shelf = self.caching.stocked(ShelfBounds(100, 1_000_000, "lru"), clock)

    def handler(
        self,
        lifetimes: Lifetimes = LIFETIMES,
        policy: CachePolicy = POLICY,
        *,
        coalesce: bool = True,
        paced: bool = False,
    ) -> Handler[Call]:
        """Compose the stage as the gateway does."""
        answers = Answers(policy, lifetimes, Places(self.shelf, self.shared, lambda: 0.5), self.clock)
        carrier = Carrier(answers, BOUNDS, self.semantics, paced=paced)
        keys = Keys("key", frozenset(), lambda _model: "")
        options = CacheOptions(coalesce, 300.0, self.semantics is not None)
        stage = Cache(options, keys, carrier, self.caching.flights, self.caching.tally)
        return compose([TotalTimeout(), stage], self._located)

    async def _located(self, call: Call) -> Reply:
        """Note where a call went, as the fallback stage does."""
        call.journal.target, call.journal.position = TARGET, 1
        return await self.provider(call)

    def call(self, text: str = "hi", *, total_s: float = 300.0, fields: Mapping[str, Any] = {}, **options: Any) -> Call:  # noqa: ANN401
        """Return a call that begins now."""
        request = asking(text, **fields)
        return a_call(request, started=self.clock.now(), total_s=total_s, options=CallOptions(**options))

    def stream(self, text: str = "hi", *, total_s: float = 300.0, usage: bool = False, **options: Any) -> Call:  # noqa: ANN401
        """Return a call for a stream that begins now."""
        asked = {"stream_options": {"include_usage": True}} if usage else {}
        return self.call(text, total_s=total_s, fields={"stream": True, **asked}, **options)


def said(text: str = "hello") -> Completion:
    """Return a whole answer, as a provider gives it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": counts}
    return Completion(msgspec.json.encode(body), Usage(1, 2, 3), ("stop",))


def says(text: str = "hello", *, after_s: float = 0.0, **parts: object) -> Step:
    """Return a whole answer after a while; `parts` replace those of the completion."""

    async def step(_call: Call) -> Reply:
        await asyncio.sleep(after_s)
        return Reply(msgspec.structs.replace(said(text), **parts))

    return step


def line(*texts: str, pause_s: float = 1.0, end: bool = True) -> Line:
    """Return a connection over which words come, with a pause after each, and usage and finish at the end."""
    script: list[Any] = [role()]
    for text in texts:
        script += [word(text), pause_s]
    return Line(*script, *([FINISH, usage(1, 2), DONE] if end else []))


def sings(*texts: str, pause_s: float = 1.0) -> Step:
    """Return a stream of words."""
    return streams(line(*texts, pause_s=pause_s))


def text_of_body(completion: Completion) -> str:
    """Return the text of a whole answer."""
    text: str = msgspec.json.decode(completion.raw)["choices"][0]["message"]["content"]
    return text


async def events_of(reply: Reply) -> list[StreamEvent]:
    """Read a stream to its end."""
    assert not isinstance(reply.body, Completion)
    return [event async for batch in reply.body for event in batch]


class ScriptedShare:
    """What replicas share, as a test wants it: `looks` are what the next looks find; `told` is what leases heard."""

    def __init__(self, *looks: Looked, without: Any = None) -> None:  # noqa: ANN401 - a word or None
        self.without = without
        self.copies = True
        self.looks = list(looks)
        self.answers: dict[str, Stored] = {}
        self.told: list[Any] = []

    async def get(self, key: str) -> Stored | None:
        """Return what was put."""
        return self.answers.get(key)

    async def look(self, key: str, flight: Flight) -> Looked:  # noqa: ARG002 - the port's
        """Return the next of the script, or grant a lease."""
        return self.looks.pop(0) if self.looks else Looked(self.answers.get(key), lease=self)

    def put(self, key: str, stored: Stored) -> None:
        """Keep an answer."""
        self.answers[key] = stored

    def streams(self, broadcast: object) -> None:  # noqa: ARG002 - the port's
        """Note that a stream began."""
        self.told.append("streams")

    def done(self, stored: Stored | None) -> None:
        """Note that an answer is complete."""
        self.told.append(None if stored is None else text_of_body(stored.completion))

    def failed(self, error: GatewayError, origin: Origin) -> None:  # noqa: ARG002 - the port's
        """Note a failure."""
        self.told.append(error.kind.code)

    def drop(self) -> None:
        """Note that the lease was given back."""
        self.told.append("dropped")

    def watch(self, shelf: Shelf, tally: Tally) -> None:
        """Nothing here is forgotten."""
        raise NotImplementedError

    async def view(self) -> SharedView | None:
        """Nobody here counts."""
        raise NotImplementedError

    async def remove(self, selection: Selection) -> int:
        """Nobody here deletes."""
        raise NotImplementedError


class Remote:
    """A call of another replica, which comes to this after a while."""

    def __init__(
        self, landing: Stored | RemoteStream | BaseException, after_s: float = 1.0, origin: Origin | None = None
    ) -> None:
        self._landing = landing
        self._after_s = after_s
        self.origin = origin

    async def landing(self) -> Stored | RemoteStream:
        """Wait for the answer."""
        await asyncio.sleep(self._after_s)
        if isinstance(self._landing, BaseException):
            raise self._landing
        return self._landing


GONE = LeaderGoneError()
