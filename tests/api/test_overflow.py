"""What happens when a client reads more slowly than its provider sends: `streaming.overflow`."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from app.core.call import Call
from app.core.gateway import EdgeOptions
from app.core.model import StreamEvent, Weight
from app.core.outcome import End
from app.core.pipeline import Handler, settle
from app.core.signals import StreamTrimmed
from tests.api.support import STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, Sent, Witness, done, event, role, streams, usage, word
from tests.support.virtual_time import VirtualClock

WORDS = [word(f"{number:04d}") for number in range(100)]
FINISH = event({"choices": [{"delta": {}, "finish_reason": "stop"}]}, Weight.ANSWER)
MAX_BYTES = 1024


class Rig:
    """A client that reads one event and then stops, in front of a provider that sends everything at once."""

    def __init__(self, clock: VirtualClock, overflow: Literal["block", "drop_oldest", "error"], *script: Sent) -> None:
        options = EdgeOptions(10_000, 300.0, 3600.0, overflow, MAX_BYTES)
        self.line = Line(role(), word("first"), 0.25, *script)
        self.ended = Witness()
        self.server = Server((STREAM,))
        self.edge = Edge(self._told(FakeProvider(streams(self.line))), clock, options)

    def _told(self, handler: Handler[Call]) -> Handler[Call]:
        return lambda call: settle(call, handler, self.ended)

    async def stall(self) -> asyncio.Task[None]:
        """Serve, and let the client stop reading once it has the head."""
        serving = asyncio.create_task(self.edge.serve(self.server))
        await asyncio.sleep(0.1)
        self.server.taking.clear()
        await asyncio.sleep(10.0)
        return serving

    @property
    def read(self) -> list[bytes]:
        """Return the frames that the client got."""
        return [frame + b"\n\n" for frame in self.server.body.split(b"\n\n") if frame]


def frames(*events: StreamEvent) -> list[bytes]:
    """Return the frames of events."""
    return [each.frame for each in events]


async def test_blocking_loses_nothing(clock: VirtualClock) -> None:
    """The provider waits, and everything comes when the client goes on."""
    rig = Rig(clock, "block", *WORDS, FINISH, done())
    serving = await rig.stall()
    waiting = rig.line.log.count("sent")

    rig.server.taking.set()
    await serving

    assert waiting < 5
    assert rig.read == frames(role(), word("first"), *WORDS, FINISH, done())


async def test_the_oldest_text_is_dropped(clock: VirtualClock) -> None:
    """The provider is read to its end; what is essential and the newest text reach the client."""
    rig = Rig(clock, "drop_oldest", word("on the way"), 0.5, *WORDS, FINISH, usage(1, 2), done())
    serving = await rig.stall()
    finished = rig.line.released

    rig.server.taking.set()
    await serving

    kept = [frame for frame in rig.read if frame in frames(*WORDS)]
    assert finished == 1
    assert rig.read[-3:] == frames(FINISH, usage(1, 2), done())
    assert kept == frames(*WORDS)[-len(kept) :]
    assert 0 < len(kept) < len(WORDS)
    assert sum(len(frame) for frame in kept) <= MAX_BYTES
    assert rig.server.complete
    (trimmed,) = [told for told in rig.edge.told if isinstance(told, StreamTrimmed)]
    assert trimmed.events == len(WORDS) - len(kept)


async def test_what_is_essential_is_never_dropped(clock: VirtualClock) -> None:
    """Where nothing else is left to drop, the provider waits after all."""
    calls = [
        event(
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "x" * 99}}]}}]}, Weight.ANSWER
        )
        for _ in range(50)
    ]
    rig = Rig(clock, "drop_oldest", *calls, FINISH, done())
    serving = await rig.stall()
    waiting = rig.line.log.count("sent")

    rig.server.taking.set()
    await serving

    assert waiting < 20
    assert rig.read == frames(role(), word("first"), *calls, FINISH, done())


async def test_a_slow_client_is_given_up(clock: VirtualClock) -> None:
    """The provider is let go at once; the client is told when it reads again, and its stream stays incomplete."""
    rig = Rig(clock, "error", word("on the way"), 0.5, *WORDS, FINISH, done())
    serving = await rig.stall()
    released = rig.line.released

    rig.server.taking.set()
    await serving

    assert (released, rig.server.complete) == (1, False)
    assert b'"code":"client_too_slow"' in rig.read[-1]
    assert [outcome.end for outcome in rig.ended.told] == [End.FAILED]


@pytest.mark.parametrize("pause", [(), (0.01,)], ids=["at once", "bit by bit"])
@pytest.mark.parametrize("overflow", ["drop_oldest", "error"])
async def test_a_client_that_keeps_up_gets_everything(
    clock: VirtualClock, overflow: Literal["drop_oldest", "error"], pause: tuple[float, ...]
) -> None:
    """Whatever the policy is, and also if the provider sends more than the bound at once."""
    script: list[Sent] = []
    for each in WORDS:
        script += [each, *pause]
    rig = Rig(clock, overflow, *script, FINISH, done())

    await rig.edge.serve(rig.server)

    assert rig.read == frames(role(), word("first"), *WORDS, FINISH, done())
    assert rig.server.complete
    assert not [told for told in rig.edge.told if isinstance(told, StreamTrimmed)]


@pytest.mark.parametrize("overflow", ["drop_oldest", "error"])
async def test_a_client_that_leaves_ends_the_reading(
    clock: VirtualClock, overflow: Literal["drop_oldest", "error"]
) -> None:
    """Nobody reads for it any more."""
    rig = Rig(clock, overflow, 100.0, *WORDS, FINISH, done())
    serving = asyncio.create_task(rig.edge.serve(rig.server))
    await asyncio.sleep(1.0)

    rig.server.left.set()
    await serving

    assert rig.line.released == 1
    assert [outcome.end for outcome in rig.ended.told] == [End.ABANDONED]
