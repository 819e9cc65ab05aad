"""Who asks a provider how it is, of several processes with one Redis."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from app.core.health import Alone, Checked, Heard, Probing
from app.state.health_rota import SharedRota
from app.state.link import Command, Follower, StateLostError

PROBING = Probing("box", "small", interval_s=30.0, timeout_s=5.0, stream=False, failures=2)
CHECKED = Checked("box", "small", up=False, failures=2, code="target_failed", took_s=0.5, at=1.0, since=1.0, due=2.0)


class Answering(AbstractAsyncContextManager["Answering"]):
    """A link that gives one answer to everything, or loses it."""

    def __init__(self, answer: object = None, *, up: bool = True, lost: bool = False) -> None:
        self.up = up
        self.key_prefix = "w"
        self.asked: list[Command] = []
        self._answer = answer
        self._lost = lost

    async def __aexit__(self, *_error: object) -> None:
        """Nothing is open."""

    def follow(self, follower: Follower) -> None:
        """Nobody follows."""

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """Answer."""
        self.asked.append(command)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._lost:
            answer.set_exception(StateLostError())
        else:
            answer.set_result(self._answer)
        return answer

    def ride(self, command: Command) -> asyncio.Future[Any]:
        """Answer."""
        return self.submit(command)

    def alight(self, answer: asyncio.Future[Any]) -> bool:  # noqa: ARG002 - the port's
        """Say that it has left."""
        return False

    def operate(self, command: Command) -> asyncio.Future[Any]:
        """Answer."""
        return self.submit(command)

    async def decide(self, command: Command) -> Any:  # noqa: ANN401 - the port's
        """Answer, or not."""
        if not self.up:
            raise StateLostError
        return await self.submit(command)

    async def ask(self, answer: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - the port's
        """Wait."""
        return await answer


async def test_who_makes_the_key_asks() -> None:
    """The turn lasts as long as the interval."""
    first, second = Answering(b"OK"), Answering(None)

    turns = await SharedRota(first).mine(PROBING), await SharedRota(second).mine(PROBING)

    assert turns == (True, False)
    assert first.asked == [Command(("SET", "w:probe:box", "1", "NX", "PX", 30_000))]
    assert SharedRota(first).pause_s(PROBING) == 1.0


async def test_what_one_hears_all_know() -> None:
    """It is written down by one, and read by the others; what cannot be read was not heard."""
    told = Answering(b"OK")
    await SharedRota(told).tell(PROBING, CHECKED)
    (written,) = told.asked

    found = await SharedRota(Answering(written.words[2])).heard(PROBING)
    nothing = [await SharedRota(Answering(answer)).heard(PROBING) for answer in (None, b"{", b"{}")]

    assert found == Heard("small", up=False, failures=2, code="target_failed", took_s=0.5)
    assert (written.words[1], written.words[3:]) == ("w:probed:box", ("PX", 90_000))
    assert nothing == [None] * 3


async def test_without_redis_each_asks_for_itself() -> None:
    """While it is out of reach, or lost in the middle, nobody waits for anybody."""
    for link in (Answering(up=False), Answering(lost=True)):
        rota = SharedRota(link)

        await rota.tell(PROBING, CHECKED)

        assert (await rota.mine(PROBING), await rota.heard(PROBING)) == (True, None)
    alone = Alone()
    await alone.tell(PROBING, CHECKED)
    assert (await alone.mine(PROBING), await alone.heard(PROBING), alone.pause_s(PROBING)) == (True, None, 30.0)
