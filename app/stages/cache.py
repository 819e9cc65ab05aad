"""
Answer from what was answered before, and let calls that ask the same at the same time share one upstream call.

Stored is only what is complete, by `CachePolicy`; who asks decides how old it may be. A call without wishes of its own
runs in a flight (`app/core/caching/single_flight.py`), which others may board; any other runs by itself, and may still
leave its answer behind.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.caching.broadcast import Broadcast, Reader
from app.core.caching.canonical import canonical
from app.core.caching.directives import Directives, asked_for, declines
from app.core.caching.flight_carrier import Carrier
from app.core.caching.keys import Keys
from app.core.caching.ports import CacheOutcome, Tally
from app.core.caching.semantic import meaning_of
from app.core.caching.serving import NOT_REVALIDATED, STALE, reader_reply, replayed, stored_reply
from app.core.caching.single_flight import Flight, Flights, Landed
from app.core.caching.stored import Stored
from app.core.call import Call, Journal, Reply
from app.core.errors import NOT_CACHED, STATE_UNAVAILABLE, TIMEOUT_TOTAL, Blame, GatewayError
from app.core.pipeline import Handler

_FLIGHTS_MAX: Final = 3  # that a call boards one after the other, if they end before its own time


class CacheOptions(msgspec.Struct, frozen=True):
    """
    How calls share.

    `coalesce` lets them board flights; `total_s` is the time a call has that has not cut it itself. `semantic` says
    that the answer to a similar question may do.
    """

    coalesce: bool
    total_s: float
    semantic: bool = False


class Cache:
    """Stands inside everything that judges the caller, and outside of everything that asks a provider."""

    def __init__(self, options: CacheOptions, keys: Keys, carrier: Carrier, flights: Flights, tally: Tally) -> None:
        self._options = options
        self._keys = keys
        self._carrier = carrier
        self._answers = carrier.answers
        self._flights = flights
        self._tally = tally

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Return a stored answer, or one that is shared, or the call's own.

        Raises:
            GatewayError: NOT_CACHED for a call that wants nothing else; STATE_UNAVAILABLE where the cache is shared,
                out of reach, and the policy for that is to refuse.
        """
        asked = self._asked(call)
        if asked is None:
            self._note(call, "bypass")
            if "only-if-cached" in call.options.directives:
                raise GatewayError(NOT_CACHED, "Answers to such a request are not stored.")
            return await proceed(call)
        stored = self._answers.here(asked)
        if stored is not None:
            if self._answers.is_fresh(asked, stored):
                return self._hit(call, stored)
            if self._answers.bridges(asked, stored):
                self._refresh(asked, call, proceed)
                return self._hit(call, stored, STALE)
        if self._options.coalesce and asked.shares:
            return await self._travel(asked, call, proceed, stored)
        return await self._go_alone(asked, call, proceed)

    def explain(self, call: Call) -> Directives | None:
        """
        Return what a call would want of the cache, and under which key; None if nothing.

        Raises:
            GatewayError: STATE_UNAVAILABLE, as above.
        """
        return self._asked(call)

    def _asked(self, call: Call) -> Directives | None:
        """Return what the call wants of the cache; None if that is nothing, or not to be had."""
        if declines(call.options):
            return None
        without = self._answers.without
        if without == "closed":
            message = "The cache is shared through Redis, which is out of reach."
            raise GatewayError(STATE_UNAVAILABLE, message, retry_after_s=1.0)
        fields = None if without == "open" else canonical(call.request.raw)
        if fields is None or not self._answers.policy.admits(call.request, fields):
            return None
        meaning = meaning_of(call, fields, self._keys) if self._options.semantic else None
        key = self._keys.key(call, fields)
        if call.options.debug:
            call.journal.notes["x-wizard-cache-key"] = key
        return asked_for(key, call.options, meaning)

    async def _go_alone(self, asked: Directives, call: Call, proceed: Handler[Call]) -> Reply:
        """Answer a call that has wishes of its own."""
        stored = await self._answers.anywhere(asked)
        if stored is not None and self._answers.is_fresh(asked, stored):
            return self._hit(call, stored)
        if asked.stored_only:
            self._note(call, "miss")
            raise GatewayError(NOT_CACHED, "There is no stored answer that is young enough.")
        similar = await self._carrier.similar(asked, call, proceed)
        if similar.stored is not None:
            return self._hit(call, similar.stored, similarity=similar.similarity)
        self._note(call, "miss" if asked.reads else "bypass")
        try:
            return await self._carrier.alone(asked, call, proceed, similar)
        except GatewayError as error:
            return self._rescued(asked, call, stored, error)

    # --- calls that share ------------------------------------------------------------------------------------------

    async def _travel(self, asked: Directives, call: Call, proceed: Handler[Call], stored: Stored | None) -> Reply:
        """Board a flight, or let one begin."""
        names = _names(asked, call)
        for _ in range(_FLIGHTS_MAX):
            flight = self._boarding(names, call)
            began = flight is None
            if flight is None:
                flight = self._begin(names[0], asked, call, proceed)
            try:
                reply = await self._ride(flight, asked, call, began=began)
            except GatewayError as error:
                return self._rescued(asked, call, flight.stale or stored, error)
            if reply is not None:
                return reply
        return await self._go_alone(asked, call, proceed)

    def _boarding(self, names: tuple[str, ...], call: Call) -> Flight | None:
        """Come aboard one of these flights if it is under way."""
        for name in names:
            flight = self._flights.find(name, call.deadline)
            if flight is not None:
                flight.board()
                return flight
        return None

    def _begin(self, name: str, asked: Directives, call: Call, proceed: Handler[Call]) -> Flight:
        flight = Flight(call.deadline, patient=call.deadline - call.started >= self._options.total_s)
        self._flights.begin(name, flight, lambda flight: self._carrier.fly(flight, asked, call, proceed))
        return flight

    async def _ride(self, flight: Flight, asked: Directives, call: Call, *, began: bool) -> Reply | None:
        """Return what the flight brings; None if that was nothing, because it ended before this call's time."""
        boarded, stays = self._answers.clock.now(), False
        try:
            landing = await flight.landing(reads=call.request.stream)
            if isinstance(landing, Landed):
                return self._landed(call, asked, landing, boarded, began=began)
            if isinstance(landing, Reader):
                self._share(call, landing.broadcast, boarded, began=began)
                stays = True
                return reader_reply(call, landing, flight.leave)
            completion = await landing.completion()
            if completion is None:
                return None
            self._share(call, landing, boarded, began=began)
            return Reply(completion)
        except GatewayError as error:
            if not began and error.kind is TIMEOUT_TOTAL and flight.deadline < call.deadline:
                return None
            if flight.origin is not None and call.journal.target is None:  # another call was made for this one, too
                flight.origin.tell(call.journal)
                call.journal.upstream_s += self._answers.clock.now() - boarded
            raise
        finally:
            if not stays and (closing := flight.leave()) is not None:
                await closing

    def _landed(self, call: Call, asked: Directives, landing: Landed, boarded: float, *, began: bool) -> Reply:
        stored = landing.stored
        if landing.how == "hit":
            warning = None if self._answers.is_fresh(asked, stored) else STALE
            return self._hit(call, stored, warning, similarity=landing.similarity)
        self._share(call, landing, boarded, began=began)
        return replayed(call, stored.completion, stored.pace, self._answers.clock)

    def _refresh(self, asked: Directives, call: Call, proceed: Handler[Call]) -> None:
        """Let a new answer be fetched, unless that is under way; nobody waits for it."""
        name = _names(asked, call)[0]
        if self._flights.find(name, call.deadline) is None:
            later = msgspec.structs.replace(call, journal=Journal())
            flight = Flight(call.deadline, patient=True)
            self._flights.begin(name, flight, lambda flight: self._carrier.renew(flight, asked, later, proceed))

    # --- what is told -----------------------------------------------------------------------------------------------

    def _rescued(self, asked: Directives, call: Call, stored: Stored | None, error: GatewayError) -> Reply:
        """Return a stale answer where there should have been a new one, if that is allowed; else raise the error."""
        if stored is None or error.kind.blame is Blame.CALLER or not self._answers.rescues(asked, stored):
            if call.journal.cache is None:
                self._note(call, "miss")
            raise error
        return self._hit(call, stored, NOT_REVALIDATED)

    def _hit(self, call: Call, stored: Stored, warning: str | None = None, *, similarity: float | None = None) -> Reply:
        if similarity is not None:
            call.journal.notes["x-wizard-cache-similarity"] = f"{similarity:.4f}"
        if warning is not None:
            call.journal.notes["warning"] = warning
        self._note(call, "hit", stale=warning is not None)
        return stored_reply(call, stored, self._answers.clock)

    def _share(self, call: Call, landing: Landed | Broadcast, boarded: float, *, began: bool) -> None:
        """Note who made the upstream call; whoever did not has waited for it since `boarded`, and pays nothing."""
        shared = not began or landing.elsewhere
        if shared:
            landing.origin.tell(call.journal)
            call.journal.upstream_s += self._answers.clock.now() - boarded
            call.journal.cost.add(0.0)
        self._note(call, "coalesced" if shared else "miss")

    def _note(self, call: Call, outcome: CacheOutcome, *, stale: bool = False) -> None:
        call.journal.cache = outcome
        self._tally.count(outcome, stale=stale)


def _names(asked: Directives, call: Call) -> tuple[str, ...]:
    """
    Name the flights that a call may take, its own first: a whole answer may also be had from one that brings a stream.

    Calls that want retries or fallbacks done differently do not share one.
    """
    options, key = call.options, asked.key
    if not (options.retry and options.fallback and options.circuit_breaker) or options.max_attempts is not None:
        key += f" {(options.retry, options.fallback, options.circuit_breaker, options.max_attempts)}"
    return (f"{key} stream",) if call.request.stream else (key, f"{key} stream")
