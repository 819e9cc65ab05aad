"""Calls that share one upstream call: any of them may leave at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from hypothesis import given
from hypothesis import strategies as st

from app.core.caching.broadcast import Broadcast, BroadcastBounds
from app.core.caching.single_flight import Flight, Flights, Landed
from app.core.caching.stored import Origin
from app.core.errors import TARGET_FAILED, GatewayError
from app.core.stream import Batch
from tests.core.caching.making import stored
from tests.support.calls import word
from tests.support.virtual_time import VirtualClock, VirtualTimeLoop

DEADLINE = 2000.0
NAME = "key"


class Upstream:
    """The work of flights: takes a while, and then answers or fails. `log` tells how each ended."""

    def __init__(self, takes_s: float = 10.0, error: BaseException | None = None) -> None:
        self._takes_s = takes_s
        self._error = error
        self.log: list[str] = []

    async def work(self, flight: Flight) -> None:
        """Make one call."""
        try:
            await asyncio.sleep(self._takes_s)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # the connection is closed
            self.log.append("cancelled")
            raise
        if self._error is not None:
            self.log.append("failed")
            raise self._error
        self.log.append("answered")
        flight.land(Landed(stored(), "fresh"))


async def travel(flights: Flights, upstream: Upstream, deadline: float = DEADLINE) -> str:
    """Board the flight, or let one begin, and return what came of it."""
    flight = flights.find(NAME, deadline)
    if flight is None:
        flight = Flight(deadline, patient=deadline == DEADLINE)
        flights.begin(NAME, flight, upstream.work)
    else:
        flight.board()
    try:
        landing = await flight.landing(reads=False)
        return landing.how if isinstance(landing, Landed) else "stream"
    finally:
        closing = flight.leave()
        if closing is not None:
            await closing


async def test_calls_share_one() -> None:
    """All who ask while a call is under way get its answer; who asks later makes a call of its own."""
    flights, upstream = Flights(), Upstream()

    async def late() -> str:
        await asyncio.sleep(5.0)
        return await travel(flights, upstream)

    found = await asyncio.gather(travel(flights, upstream), travel(flights, upstream), late())
    later = await travel(flights, upstream)

    assert [*found, later] == ["fresh"] * 4
    assert upstream.log == ["answered"] * 2


async def test_a_failure_reaches_only_those_who_wait() -> None:
    """Each of them gets an error of its own; the next call begins anew."""
    flights = Flights()
    failing, good = Upstream(error=GatewayError(TARGET_FAILED, "no")), Upstream()

    found = await asyncio.gather(*[travel(flights, failing) for _ in range(3)], return_exceptions=True)
    later = await travel(flights, good)

    assert [error.kind for error in found if isinstance(error, GatewayError)] == [TARGET_FAILED] * 3
    assert len({id(error) for error in found}) == 3
    assert (failing.log, later) == (["failed"], "fresh")


async def test_a_bug_reaches_those_who_wait() -> None:
    """An error that is none of the table's is raised as it is, and not reported a second time as one nobody took."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    bug = ValueError("bug")

    found = await asyncio.gather(*[travel(Flights(), Upstream(error=bug))], return_exceptions=True)
    await asyncio.sleep(1.0)

    assert (found, reported) == ([bug], [])


async def test_a_call_boards_only_what_lasts_for_it() -> None:
    """A flight whose first passenger cut its time short takes only calls that have no more."""
    flights, upstream = Flights(), Upstream()

    calls = [travel(flights, upstream, deadline) for deadline in (1500.0, 1400.0, DEADLINE)]
    found = await asyncio.gather(*calls)

    assert found == ["fresh"] * 3
    assert upstream.log == ["answered"] * 2


async def test_who_leaves_last_waits_until_the_call_is_closed() -> None:
    """The upstream call is cancelled with the last passenger, whose leaving takes as long as that."""
    flights, upstream = Flights(), Upstream()
    tasks = [asyncio.ensure_future(travel(flights, upstream)) for _ in range(2)]
    await asyncio.sleep(1.0)

    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    log = list(upstream.log)
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])

    assert (log, upstream.log) == ([], ["cancelled"])


async def test_a_flight_that_nobody_needs_takes_nobody() -> None:
    """Who comes while a call is being cancelled makes another one."""
    flights, upstream = Flights(), Upstream()
    first = asyncio.ensure_future(travel(flights, upstream))
    await asyncio.sleep(1.0)

    first.cancel()
    await asyncio.sleep(0.01)
    second = await travel(flights, upstream)

    assert second == "fresh"
    assert upstream.log == ["cancelled", "answered"]


async def test_a_call_that_leaves_at_once_leaves_nothing_behind() -> None:
    """A flight whose task never ran is forgotten, too."""
    flights, upstream = Flights(), Upstream()
    flight = Flight(DEADLINE, patient=True)
    flights.begin(NAME, flight, upstream.work)

    closing = flight.leave()
    assert closing is not None
    await closing

    assert flights.find(NAME, DEADLINE) is None
    assert upstream.log == []


async def test_a_reader_whose_caller_left_in_the_same_moment_is_gone(clock: VirtualClock) -> None:
    """Who is cancelled just when a stream begins holds nothing up."""
    broadcast = Broadcast(Origin(), BroadcastBounds(0, 1000, 1000))
    flight = Flight(DEADLINE, patient=True)
    waiting = asyncio.ensure_future(flight.landing(reads=True))
    await asyncio.sleep(0.0)

    flight.land(broadcast)
    waiting.cancel()
    await asyncio.wait([waiting])
    began = clock.now()
    await broadcast.relay(_two_words())

    assert waiting.cancelled()
    assert clock.now() == began


async def _two_words() -> AsyncGenerator[Batch, None]:
    yield [word("a")]
    yield [word("b")]


async def test_the_end_of_the_process_ends_all_flights() -> None:
    """Whoever still waits is told as if it had been cancelled."""
    flights, upstream = Flights(), Upstream()
    waiting = asyncio.ensure_future(travel(flights, upstream))
    await asyncio.sleep(1.0)

    await flights.aclose()
    await asyncio.wait([waiting])
    await flights.aclose()

    assert waiting.cancelled()
    assert upstream.log == ["cancelled"]


async def test_what_nobody_waits_for_runs_beside_the_calls() -> None:
    """It is not lost, and the end of the process ends it."""
    flights, seen = Flights(), []

    async def work() -> None:
        seen.append("begun")
        await asyncio.sleep(1.0)
        seen.append("ended")

    flights.finish(work())
    await asyncio.sleep(2.0)

    assert seen == ["begun", "ended"]


moments = st.integers(0, 14).map(float)


@given(st.lists(st.tuples(moments, moments | st.none()), min_size=1, max_size=8), st.booleans())
def test_whoever_leaves_whenever(plans: list[tuple[float, float | None]], fails: bool) -> None:
    """
    Calls come at any moment and are cancelled at any moment, also in the one in which the answer comes.

    At no time are two upstream calls under way that both have passengers; whoever is not cancelled gets an answer or
    the error; and nothing is left behind.
    """

    async def main() -> None:
        flights, upstream = Flights(), Upstream(error=GatewayError(TARGET_FAILED, "no") if fails else None)

        async def call(comes_s: float) -> str:
            await asyncio.sleep(comes_s)
            return await travel(flights, upstream)

        async def leave(task: asyncio.Task[str], comes_s: float, stays_s: float) -> None:
            await asyncio.sleep(comes_s + stays_s)
            task.cancel()

        tasks = [asyncio.ensure_future(call(comes_s)) for comes_s, _ in plans]
        leaving = [
            leave(task, comes_s, stays_s)
            for task, (comes_s, stays_s) in zip(tasks, plans, strict=True)
            if stays_s is not None
        ]
        await asyncio.gather(*leaving)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for answer, (_, stays_s) in zip(found, plans, strict=True):
            if isinstance(answer, asyncio.CancelledError):
                assert stays_s is not None
            else:
                assert isinstance(answer, GatewayError) if fails else answer == "fresh"
        ended = upstream.log.count("answered") + upstream.log.count("failed")
        waited = [answer for answer in found if not isinstance(answer, asyncio.CancelledError)]
        assert bool(ended) >= bool(waited)
        assert ended <= 1 + max(comes_s for comes_s, _ in plans) / 10.0  # one lasts ten seconds: no two at once
        assert flights.find(NAME, DEADLINE) is None
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
