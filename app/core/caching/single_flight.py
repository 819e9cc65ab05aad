"""
Calls that share one upstream call: a *flight*, which carries its passengers to one answer.

The upstream call runs in a task of the flight's own, so that it does not matter which passenger began it: any of them
may leave, and when the last one has left the task is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal, TypeAlias, cast

import msgspec

from app.core.caching.broadcast import Broadcast, Reader, again
from app.core.caching.stored import Origin, Stored
from app.core.errors import GatewayError
from app.core.outcome import outlast


class Landed(msgspec.Struct, frozen=True):
    """
    A whole answer.

    `how` says that it was stored already (hit), has just been given to this flight (fresh), or to that of another
    replica (elsewhere). `similarity` is below 1 if it answers a question that is only similar.
    """

    stored: Stored
    how: Literal["hit", "fresh", "elsewhere"]
    similarity: float | None = None

    @property
    def origin(self) -> Origin:
        """Return who answered."""
        return self.stored.origin

    @property
    def elsewhere(self) -> bool:
        """Say whether another replica made the call."""
        return self.how == "elsewhere"


# Of an answer that is being streamed, a reader for who reads it, and all of it for who waits for its end.
Landing: TypeAlias = Landed | Reader | Broadcast
Work: TypeAlias = Callable[["Flight"], Awaitable[None]]


class Flight:
    """
    One upstream call and who waits for it.

    `deadline` is when it will be given up, in seconds of the loop's clock. A `patient` one has all the time that the
    configuration gives to a call; one that its first passenger has cut short may be too short for others. `origin` is
    the way of an upstream call that failed.
    """

    def __init__(self, deadline: float, *, patient: bool) -> None:
        self.deadline = deadline
        self.patient = patient
        self.stale: Stored | None = None  # what was found, and is too old
        self.origin: Origin | None = None
        self._passengers = 0
        self._waiting: list[tuple[asyncio.Future[Landing], bool]] = []
        self._landing: Landed | Broadcast | None = None
        self._failed = False
        self._flights: Flights | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def landed(self) -> bool:
        """Say whether the passengers have an answer, or the beginning of one."""
        return self._landing is not None

    def takes(self, deadline: float) -> bool:
        """Say whether a call with this deadline may come aboard and get the whole answer."""
        if not self._passengers or self._settled or not (self.patient or deadline <= self.deadline):
            return False
        return not isinstance(self._landing, Broadcast) or self._landing.joinable

    def start(self, task: asyncio.Task[None], flights: Flights) -> None:
        """Note what has to be cancelled when nobody is aboard any more, and who has to know."""
        self.task, self._flights = task, flights

    def board(self) -> None:
        """Come aboard; every passenger leaves once."""
        self._passengers += 1

    def leave(self) -> Coroutine[Any, Any, None] | None:
        """Leave; what is returned, if anything, takes until the upstream call that nobody needs is closed."""
        self._passengers -= 1
        task, flights = self.task, self._flights
        if self._passengers or self._settled or task is None or flights is None or task.done():
            return None
        task.add_done_callback(partial(flights.forget, self))
        task.cancel()
        return outlast(task)

    async def landing(self, *, reads: bool) -> Landing:
        """
        Wait for the answer; only for passengers. Who `reads` a stream gets a reader of it, which has to leave.

        Raises:
            GatewayError: What the upstream call failed with.
        """
        if self._landing is not None:
            return _share(self._landing, reads=reads)
        waiting: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiting, reads))
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and isinstance(reader := waiting.result(), Reader):
                reader.leave()
            raise

    def land(self, landing: Landed | Broadcast) -> None:
        """Give the answer to everybody aboard; readers of a stream join before any of it is read."""
        self._landing = landing
        for waiting, reads in self._told():
            waiting.set_result(_share(landing, reads=reads))

    def fail(self, error: BaseException) -> None:
        """Tell everybody who still waits why there is no answer."""
        self._failed = True  # the error itself is not kept: it would keep the frames it passed through alive
        for waiting, _ in self._told():
            if isinstance(error, asyncio.CancelledError):
                waiting.cancel()
            else:
                waiting.set_exception(again(error) if isinstance(error, GatewayError) else error)

    @property
    def _settled(self) -> bool:
        """Say whether the upstream call is over; its task may still have something to write down."""
        landing = self._landing
        return self._failed or isinstance(landing, Landed) or (landing is not None and landing.closed)

    def _told(self) -> list[tuple[asyncio.Future[Landing], bool]]:
        told, self._waiting = self._waiting, []
        return [each for each in told if not each[0].done()]


class Flights:
    """The flights that are under way, by name."""

    def __init__(self) -> None:
        self._under_way: dict[str, Flight] = {}
        self._aloft: set[Flight] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, name: str, deadline: float) -> Flight | None:
        """Return a flight that a call with this deadline may board."""
        flight = self._under_way.get(name)
        return flight if flight is not None and flight.takes(deadline) else None

    def begin(self, name: str, flight: Flight, work: Work) -> None:
        """Let a flight begin, with one passenger aboard; `work` lets it land."""
        flight.board()
        self._under_way[name] = flight
        self._aloft.add(flight)
        flight.start(asyncio.get_running_loop().create_task(self._carry(name, flight, work)), self)

    def forget(self, flight: Flight, _task: asyncio.Task[None]) -> None:
        """Forget a flight that was cancelled before it began; any other has seen to that itself."""
        if flight in self._aloft:
            self._aloft.discard(flight)
            for name in [name for name, other in self._under_way.items() if other is flight]:
                del self._under_way[name]

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the calls; cancelled by `aclose` at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for."""
        self._tasks.add(self.run(work))

    async def aclose(self) -> None:
        """Cancel what is still under way; whoever still waits is cancelled as well."""
        flights, self._aloft = self._aloft, set()
        tasks = [*self._tasks, *[flight.task for flight in flights if flight.task is not None]]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for flight in flights:
            flight.fail(asyncio.CancelledError())

    async def _carry(self, name: str, flight: Flight, work: Work) -> None:
        try:
            await work(flight)
        except GatewayError as error:
            flight.fail(error)
        except asyncio.CancelledError as error:
            flight.fail(error)
            raise
        except BaseException as error:
            flight.fail(error)
            cast("asyncio.Task[None]", flight.task).add_done_callback(_told)  # the passengers have been
            raise
        finally:
            self._aloft.discard(flight)
            if self._under_way.get(name) is flight:
                del self._under_way[name]


def _told(task: asyncio.Task[None]) -> None:
    task.exception()


def _share(landing: Landed | Broadcast, *, reads: bool) -> Landing:
    return landing.join() if reads and isinstance(landing, Broadcast) else landing
