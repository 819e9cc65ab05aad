"""
Request coalescing (single flight): several calls, the passengers, share one upstream call, the *flight*.

The upstream call runs in a task of its own, so any passenger may leave, also the one that began it. When the last one
has left, the task is cancelled.
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

    `how`: it was stored already (hit), or is the answer to this flight (fresh), or to that of another replica
    (elsewhere). `similarity` is None unless it answers a similar question.
    """

    stored: Stored
    how: Literal["hit", "fresh", "elsewhere"]
    similarity: float | None = None

    @property
    def origin(self) -> Origin:
        """Return where the answer came from."""
        return self.stored.origin

    @property
    def elsewhere(self) -> bool:
        """Return whether another replica made the call."""
        return self.how == "elsewhere"


# Of a stream, passengers that read it get a reader, and those that wait for its end get the broadcast.
Landing: TypeAlias = Landed | Reader | Broadcast
Work: TypeAlias = Callable[["Flight"], Awaitable[None]]


class Flight:
    """
    One upstream call and the calls that wait for it.

    `deadline` is in seconds of the loop's clock. A `patient` flight has all the time that the configuration gives to a
    call; if its first passenger asked for less, calls with a later deadline cannot board. `origin` is that of an
    upstream call that failed.
    """

    def __init__(self, deadline: float, *, patient: bool) -> None:
        self.deadline = deadline
        self.patient = patient
        self.stale: Stored | None = None  # the stored answer that was found, if any; may be stale
        self.origin: Origin | None = None
        self._passengers = 0
        self._waiting: list[tuple[asyncio.Future[Landing], bool]] = []
        self._landing: Landed | Broadcast | None = None
        self._failed = False
        self._flights: Flights | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def landed(self) -> bool:
        """Return whether the passengers have the answer, or the stream of it."""
        return self._landing is not None

    def takes(self, deadline: float) -> bool:
        """Return whether a call with this deadline may board and get the whole answer."""
        if not self._passengers or self._settled or not (self.patient or deadline <= self.deadline):
            return False
        return not isinstance(self._landing, Broadcast) or self._landing.joinable

    def start(self, task: asyncio.Task[None], flights: Flights) -> None:
        """Set the task to cancel when the last passenger leaves, and the table that has to forget the flight then."""
        self.task, self._flights = task, flights

    def board(self) -> None:
        """Add a passenger, which has to call `leave` once."""
        self._passengers += 1

    def leave(self) -> Coroutine[Any, Any, None] | None:
        """Remove a passenger. If it was the last, return a coroutine that waits for the cancelled task to end."""
        self._passengers -= 1
        task, flights = self.task, self._flights
        if self._passengers or self._settled or task is None or flights is None or task.done():
            return None
        task.add_done_callback(partial(flights.forget, self))
        task.cancel()
        return outlast(task)

    async def landing(self, *, reads: bool) -> Landing:
        """
        Wait for the answer; only for passengers. If it is a stream, one that `reads` gets a reader, which has to leave.

        Raises:
            GatewayError: The error of the upstream call.
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
        """Pass the answer to all passengers; readers of a stream join before any of it is read."""
        self._landing = landing
        for waiting, reads in self._take_waiting():
            waiting.set_result(_share(landing, reads=reads))

    def fail(self, error: BaseException) -> None:
        """Raise the error in all passengers that still wait."""
        self._failed = True  # keeping the error itself would keep the frames of its traceback alive
        for waiting, _ in self._take_waiting():
            if isinstance(error, asyncio.CancelledError):
                waiting.cancel()
            else:
                waiting.set_exception(again(error) if isinstance(error, GatewayError) else error)

    @property
    def _settled(self) -> bool:
        """Return whether the upstream call is over; its task may still be storing the answer."""
        landing = self._landing
        return self._failed or isinstance(landing, Landed) or (landing is not None and landing.closed)

    def _take_waiting(self) -> list[tuple[asyncio.Future[Landing], bool]]:
        waiting, self._waiting = self._waiting, []
        return [each for each in waiting if not each[0].done()]


class Flights:
    """The flights under way, by name."""

    def __init__(self) -> None:
        self._under_way: dict[str, Flight] = {}
        self._aloft: set[Flight] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, name: str, deadline: float) -> Flight | None:
        """Return a flight that a call with this deadline may board."""
        flight = self._under_way.get(name)
        return flight if flight is not None and flight.takes(deadline) else None

    def begin(self, name: str, flight: Flight, work: Work) -> None:
        """Start a flight, with one passenger aboard; `work` has to let it land."""
        flight.board()
        self._under_way[name] = flight
        self._aloft.add(flight)
        flight.start(asyncio.get_running_loop().create_task(self._carry(name, flight, work)), self)

    def forget(self, flight: Flight, _task: asyncio.Task[None]) -> None:
        """Remove a flight whose task was cancelled before it ran; the task of any other removes it."""
        if flight in self._aloft:
            self._aloft.discard(flight)
            for name in [name for name, other in self._under_way.items() if other is flight]:
                del self._under_way[name]

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work in a task of its own; `aclose` cancels it if it still runs."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that nobody waits for."""
        self._tasks.add(self.run(work))

    async def aclose(self) -> None:
        """Cancel all tasks, and all passengers that still wait."""
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
            cast("asyncio.Task[None]", flight.task).add_done_callback(_retrieve_error)  # passengers have it already
            raise
        finally:
            self._aloft.discard(flight)
            if self._under_way.get(name) is flight:
                del self._under_way[name]


def _retrieve_error(task: asyncio.Task[None]) -> None:
    task.exception()


def _share(landing: Landed | Broadcast, *, reads: bool) -> Landing:
    return landing.join() if reads and isinstance(landing, Broadcast) else landing
