"""Which calls go on without their clients, and how many."""

from __future__ import annotations

import pytest

from app.core.disconnects import Departure, DisconnectOptions
from app.core.signals import ClientLeft, Signal
from app.core.tapes import Tape, TapeBounds, Taped, TapeEnd, Tapes
from app.core.traffic.memory import Slots
from tests.support.calls import a_call, asking
from tests.support.virtual_time import VirtualClock

OPTIONS = DisconnectOptions({"fast": True, "slow": False, "openai/*": True}, otherwise=False, drain_max=1)


@pytest.mark.parametrize(
    ("model", "drained"),
    [
        ("fast", True),
        ("slow", False),
        ("openai/gpt", True),
        ("openai:gpt", True),
        ("acme/small", False),
    ],
)
def test_routes_decide(model: str, drained: bool) -> None:
    """By their names, also those with a star; everything else follows the general setting."""
    assert OPTIONS.drained(model) is drained


def test_the_bare_star_is_for_what_nothing_else_fits() -> None:
    """As it is for routing."""
    options = DisconnectOptions({"*": True, "openai/*": False}, otherwise=False, drain_max=1)

    assert options.drained("anything")
    assert not options.drained("openai/gpt")


class Bench:
    """Calls for the model `fast` that share what is known of departures."""

    def __init__(self) -> None:
        self.told: list[Signal] = []
        self._drains = Slots()

    def call(self, *, asked: bool = True) -> Departure:
        """Return the departure of a call, of which a provider has been asked or not."""
        call = a_call(asking())
        call.journal.attempts = int(asked)
        return Departure(call, OPTIONS, self._drains, self.told.append)


def test_only_so_many_go_on() -> None:
    """The next one finds room once the first has ended."""
    bench = Bench()
    first, second, third = bench.call(), bench.call(), bench.call()

    stays = [first.left(), second.left()]
    second.over()
    stays.append(bench.call().left())
    first.over()
    stays.append(third.left())

    assert [True, False, False, True] == stays
    assert [True, False, False, True] == [told.drained for told in bench.told if isinstance(told, ClientLeft)]


def test_nothing_goes_on_that_has_not_begun() -> None:
    """No provider was asked, so there is no answer to read, and nothing to tell."""
    bench = Bench()

    assert not bench.call(asked=False).left()
    assert [] == bench.told


BOUNDS = TapeBounds(window_s=60.0, streams_max=9, stream_max_bytes=1000, total_max_bytes=9000)


class Resumable:
    """A call whose stream can be resumed; `ends` and `detached` count what was done to it."""

    def __init__(self, *, drains: bool = False, drain_max: int = 1) -> None:
        self.told: list[Signal] = []
        self.call = a_call(asking(stream=True))
        self.call.journal.attempts = 1
        options = DisconnectOptions({}, otherwise=drains, drain_max=drain_max, resume=BOUNDS)
        self.departure = Departure(self.call, options, Slots(), self.told.append)
        self.ends = self.detached = 0
        tape = Tapes(VirtualClock()).open(Taped("one", "req_1", lambda _error: b""), BOUNDS)
        assert tape is not None
        self.tape: Tape = tape
        self.departure.bind(self._end)
        self.departure.record(tape, self._detach)

    def _end(self) -> None:
        self.ends += 1

    def _detach(self) -> None:
        self.detached += 1


@pytest.mark.parametrize(("drains", "ends"), [(False, 1), (True, 0)])
async def test_a_stream_waits_for_its_window(clock: VirtualClock, drains: bool, ends: int) -> None:
    """When nobody comes back it ends, or goes on without a client if its route drains."""
    stream = Resumable(drains=drains)

    stays = stream.departure.left()
    await clock.sleep(59.0)
    early = stream.ends
    await clock.sleep(2.0)
    stream.departure.over()

    assert (True, 0, ends) == (stays, early, stream.ends)
    assert stream.call.journal.left
    assert TapeEnd.BROKEN is stream.tape.ending


async def test_who_comes_back_is_no_client_that_left(clock: VirtualClock) -> None:
    """Nor is the stream ended under its hands; when it leaves too the window begins anew."""
    stream = Resumable()
    stream.departure.left()
    await clock.sleep(50.0)
    stream.departure.joined()
    here = stream.call.journal.left
    await clock.sleep(50.0)
    stream.departure.deserted()
    await clock.sleep(50.0)
    early = stream.ends
    await clock.sleep(11.0)

    assert (False, 0, 1, 1) == (here, early, stream.ends, stream.detached)
    assert [True, True] == [told.drained for told in stream.told if isinstance(told, ClientLeft)]


async def test_who_takes_a_stream_over_replaces_its_client(clock: VirtualClock) -> None:
    """The first client may then leave or not: that is nothing new."""
    stream = Resumable()

    stream.departure.joined()
    stays = stream.departure.left()
    await clock.sleep(100.0)

    assert (True, 0, [], False) == (stays, stream.ends, stream.told, stream.call.journal.left)


async def test_a_stream_that_drains_waits_for_nobody(clock: VirtualClock) -> None:
    """Its place is taken once; a reader that comes and goes changes nothing but what is told."""
    stream = Resumable(drains=True)
    stream.departure.left()
    await clock.sleep(61.0)

    stream.departure.joined()
    here = stream.call.journal.left
    stream.departure.deserted()
    await clock.sleep(100.0)
    stream.departure.lost()
    stream.departure.over()

    assert (False, True, 0) == (here, stream.call.journal.left, stream.ends)


async def test_a_stream_that_is_lost_has_nothing_to_wait_for(clock: VirtualClock) -> None:
    """It ends if its client has left; as long as the client is there it goes on."""
    here, gone = Resumable(), Resumable()
    gone.departure.left()

    here.tape.end(TapeEnd.LOST)
    gone.tape.end(TapeEnd.LOST)

    assert (0, 1) == (here.ends, gone.ends)
    assert not here.departure.left()
    await clock.sleep(100.0)
    assert 1 == gone.ends


@pytest.mark.parametrize("joined", [False, True])
async def test_a_call_that_is_over_has_nobody_to_miss(clock: VirtualClock, joined: bool) -> None:
    """Its last bytes may still be on their way: whoever leaves then changes nothing."""
    stream = Resumable()
    stream.call.journal.over = True

    if joined:
        stream.departure.joined()
        stream.departure.deserted()
    stays = stream.departure.left()
    await clock.sleep(100.0)

    assert (True, [], 0, False) == (stays, stream.told, stream.ends, stream.call.journal.left)


async def test_where_too_many_are_drained_a_deserted_stream_ends(clock: VirtualClock) -> None:
    """As any other call does whose client leaves then."""
    stream = Resumable(drains=True, drain_max=0)

    stream.departure.left()
    await clock.sleep(61.0)

    assert 1 == stream.ends


def test_whoever_cannot_be_ended_yet_is_not() -> None:
    """Nothing happens before somebody is bound."""
    call = a_call(asking(stream=True))
    departure = Departure(call, DisconnectOptions({}, False, 1, BOUNDS), Slots(), lambda _signal: None)

    departure.lost()
    departure.joined()
    departure.lost()

    assert not call.journal.left
    assert departure.resume is BOUNDS
