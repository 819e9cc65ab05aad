"""How commands travel: together, within their time, and with scripts that Redis may forget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.state.link import Command, StateLostError
from app.state.link.batch import TOGETHER_MAX, WAITING_MAX, Batch
from app.state.scripts import Script
from tests.support.redis_server import RedisServer

ECHO = Script.of("return ARGV[1]")
BUSY = Script.of("local n = 0; while n < 2e7 do n = n + 1 end; return n")
WRONG = Script.of("return redis.call('NO SUCH COMMAND')")


def say(word: str, script: Script = ECHO) -> Command:
    """Return a command that answers with a word."""
    return Command(("EVALSHA", script.sha1, 1, "{key}", word), script)


class Wire:
    """A batch, and what became of it."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self.client = Redis(port=port, protocol=2)
        self.lost: list[str] = []
        self.batch = Batch(self.client, timeout_s, lambda error: self.lost.append(type(error).__name__))

    async def close(self) -> None:
        """Close both."""
        await self.batch.aclose()
        await self.client.aclose()


@pytest.fixture
async def wire(server: RedisServer) -> AsyncIterator[Wire]:
    """Return a wire to a server of its own."""
    opened = Wire(server.port)
    yield opened
    await opened.close()


def reads(server: RedisServer) -> int:
    """Return how many packets with commands the server has read."""
    return int(server.do("INFO", "stats")["total_reads_processed"])


async def test_commands_of_one_tick_leave_together(server: RedisServer, wire: Wire) -> None:
    """A hundred commands are one packet, or the few into which the network cuts it."""
    await wire.batch.submit(say("first"))
    idle = reads(server)
    alone = reads(server) - idle  # what looking costs

    answers = await asyncio.gather(*(wire.batch.submit(say(str(n))) for n in range(100)))
    packets = reads(server) - idle - 2 * alone

    assert [b"%d" % n for n in range(100)] == answers
    assert packets < 10


async def test_commands_behind_a_slow_pipeline_gather(wire: Wire) -> None:
    """They leave together when it is over, in order."""
    slow = wire.batch.submit(say("", BUSY))
    await asyncio.sleep(0.01)
    behind = [wire.batch.submit(say(str(n))) for n in range(5)]

    answers = await asyncio.gather(slow, *behind)

    assert [b"0", b"1", b"2", b"3", b"4"] == answers[1:]
    assert wire.lost == []


async def test_what_has_gathered_leaves_in_pipelines_of_bounded_length(wire: Wire) -> None:
    """Each has its own time, so that what was saved up while Redis was away is not lost again for being much."""
    answers = [wire.batch.submit(say(str(n))) for n in range(3 * TOGETHER_MAX)]

    await answers[0]

    assert answers[TOGETHER_MAX - 1].done()
    assert not answers[TOGETHER_MAX].done()
    assert [int(answer) for answer in await asyncio.gather(*answers)] == [*range(3 * TOGETHER_MAX)]
    assert wire.lost == []


async def test_forgotten_scripts_are_given_again(server: RedisServer, wire: Wire) -> None:
    """Those that Redis knows are not run twice."""
    await wire.batch.submit(say("known"))
    count = Script.of("return redis.call('INCR', KEYS[1])")
    await wire.batch.submit(say("", count))
    server.do("SCRIPT", "FLUSH")
    await wire.batch.load([count])

    answers = await asyncio.gather(
        wire.batch.submit(say("a")), wire.batch.submit(say("", count)), wire.batch.submit(say("b"))
    )

    assert [b"a", 2, b"b"] == list(answers)
    assert wire.lost == []


async def test_a_refusal_is_told_to_its_caller_and_to_the_owner(wire: Wire) -> None:
    """The commands beside it are answered."""
    good, bad = wire.batch.submit(say("good")), wire.batch.submit(say("", WRONG))

    with pytest.raises(StateLostError):
        await bad

    assert b"good" == await good
    assert ["ResponseError"] == wire.lost


async def test_what_takes_too_long_is_lost_with_all_behind_it(server: RedisServer) -> None:
    """And the owner hears of it once."""
    wire = Wire(server.port, timeout_s=0.2)
    await wire.batch.submit(say("first"))
    server.freeze()
    first = wire.batch.submit(say("never"))
    await asyncio.sleep(0)
    second = wire.batch.submit(say("neither"))

    ends = await asyncio.gather(first, second, return_exceptions=True)

    assert [StateLostError, StateLostError] == [type(end) for end in ends]
    assert ["TimeoutError"] == wire.lost
    server.thaw()
    await wire.close()


async def test_nobody_there_is_a_loss(server: RedisServer) -> None:
    """Not an error of another kind."""
    server.kill()
    wire = Wire(server.port)

    with pytest.raises(StateLostError, match="ConnectionError"):
        await wire.batch.submit(say("hello"))

    await wire.close()


async def test_the_queue_has_an_end(wire: Wire) -> None:
    """Commands beyond it fail at once."""
    answers = [wire.batch.submit(say("x")) for _ in range(WAITING_MAX + 1)]

    with pytest.raises(StateLostError, match="too many"):
        await answers[-1]

    assert {b"x"} == set(await asyncio.gather(*answers[:-1]))


async def test_what_rides_leaves_with_the_next_command(server: RedisServer, wire: Wire) -> None:
    """Nothing is sent for its sake, and it needs no packet of its own."""
    await wire.batch.submit(say("first"))
    idle = reads(server)
    alone = reads(server) - idle
    riding = wire.batch.ride(say("riding"))
    await asyncio.sleep(0)
    waiting = reads(server) - idle - 2 * alone

    other = await wire.batch.submit(say("other"))
    packets = reads(server) - idle - 3 * alone

    assert (waiting, other, await riding, packets) == (0, b"other", b"riding", 1)


async def test_what_rides_may_be_taken_back_until_it_has_left(wire: Wire) -> None:
    """Then nobody is asked."""
    needed, dropped = wire.batch.ride(say("needed")), wire.batch.ride(say("dropped"))

    taken_back = wire.batch.alight(dropped)
    await wire.batch.submit(say("other"))

    assert await needed == b"needed"
    assert (taken_back, wire.batch.alight(needed), dropped.done()) == (True, False, False)


async def test_closing_drops_what_waits(wire: Wire) -> None:
    """Whoever waits is told."""
    answer = wire.batch.submit(say("late"))
    given_up = wire.batch.submit(say("late"))
    given_up.cancel()

    await wire.batch.aclose()

    with pytest.raises(StateLostError, match="StateLostError"):
        await answer


async def test_an_answer_that_nobody_waits_for_is_dropped(wire: Wire) -> None:
    """It does not disturb those of others."""
    given_up, other = wire.batch.submit(say("one")), wire.batch.submit(say("two"))
    given_up.cancel()

    assert b"two" == await other


async def test_plain_commands_travel_beside_decisions(server: RedisServer, wire: Wire) -> None:
    """A stored value is written and read in the same packets as decisions, and bytes come back as they were."""
    await wire.batch.submit(say("first"))
    idle = reads(server)
    alone = reads(server) - idle

    await asyncio.gather(
        wire.batch.submit(Command(("SET", "{key}:stored", b"a value", "PX", 60_000))), wire.batch.submit(say("beside"))
    )
    packets = reads(server) - idle - 2 * alone
    answer = await wire.batch.submit(Command(("GET", "{key}:stored")))

    assert answer == b"a value"
    assert packets <= 2
