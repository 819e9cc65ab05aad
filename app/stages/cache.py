"""
Answer from stored responses, and let concurrent identical calls share one upstream call.

Only complete answers are stored, by `CachePolicy`; each caller decides how old an answer may be. A call without cache
directives of its own runs in a flight (`app/core/caching/single_flight.py`), which others may join; any other runs by
itself, and its answer may still be stored.
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

_FLIGHTS_MAX: Final = 3  # flights that a call joins one after another, if they time out before its own deadline


class CacheOptions(msgspec.Struct, frozen=True):
    """
    How calls share answers.

    `coalesce` lets them join flights; `total_s` is the total timeout of a call that has not shortened it. `semantic`
    allows the answer to a similar question.
    """

    coalesce: bool
    total_s: float
    semantic: bool = False


class Cache:
    """Inside all stages that check the caller, and outside all that ask a provider."""

    def __init__(self, options: CacheOptions, keys: Keys, carrier: Carrier, flights: Flights, tally: Tally) -> None:
        self._options = options
        self._keys = keys
        self._carrier = carrier
        self._answers = carrier.answers
        self._flights = flights
        self._tally = tally

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Return a stored answer, a shared one, or the call's own.

        Raises:
            GatewayError: NOT_CACHED for an only-if-cached call without a stored answer; STATE_UNAVAILABLE where the
                cache is shared and out of reach, and the policy for that is to refuse.
        """
        directives = self._directives(call)
        if directives is None:
            self._note(call, "bypass")
            if "only-if-cached" in call.options.directives:
                raise GatewayError(NOT_CACHED, "Answers to such a request are not stored.")
            return await proceed(call)
        stored = self._answers.here(directives)
        if stored is not None:
            if self._answers.is_fresh(directives, stored):
                return self._hit(call, stored)
            if self._answers.bridges(directives, stored):
                self._refresh(directives, call, proceed)
                return self._hit(call, stored, STALE)
        if self._options.coalesce and directives.shares:
            return await self._travel(directives, call, proceed, stored)
        return await self._go_alone(directives, call, proceed)

    def explain(self, call: Call) -> Directives | None:
        """
        Return the key and cache directives of a call; None if it bypasses the cache.

        Raises:
            GatewayError: STATE_UNAVAILABLE, as when the call runs.
        """
        return self._directives(call)

    def _directives(self, call: Call) -> Directives | None:
        """Return the call's cache directives; None if it declines the cache, or the cache cannot serve it."""
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

    async def _go_alone(self, directives: Directives, call: Call, proceed: Handler[Call]) -> Reply:
        """Answer a call that does not share an upstream call."""
        stored = await self._answers.anywhere(directives)
        if stored is not None and self._answers.is_fresh(directives, stored):
            return self._hit(call, stored)
        if directives.stored_only:
            self._note(call, "miss")
            raise GatewayError(NOT_CACHED, "There is no stored answer that is young enough.")
        similar = await self._carrier.similar(directives, call, proceed)
        if similar.stored is not None:
            return self._hit(call, similar.stored, similarity=similar.similarity)
        self._note(call, "miss" if directives.reads else "bypass")
        try:
            return await self._carrier.alone(directives, call, proceed, similar)
        except GatewayError as error:
            return self._rescued(directives, call, stored, error)

    # --- calls that share ------------------------------------------------------------------------------------------

    async def _travel(self, directives: Directives, call: Call, proceed: Handler[Call], stored: Stored | None) -> Reply:
        """Join a flight, or begin one."""
        names = _names(directives, call)
        for _ in range(_FLIGHTS_MAX):
            flight = self._boarding(names, call)
            began = flight is None
            if flight is None:
                flight = self._begin(names[0], directives, call, proceed)
            try:
                reply = await self._ride(flight, directives, call, began=began)
            except GatewayError as error:
                return self._rescued(directives, call, flight.stale or stored, error)
            if reply is not None:
                return reply
        return await self._go_alone(directives, call, proceed)

    def _boarding(self, names: tuple[str, ...], call: Call) -> Flight | None:
        """Join the first of these flights that is under way; return None if none is."""
        for name in names:
            flight = self._flights.find(name, call.deadline)
            if flight is not None:
                flight.board()
                return flight
        return None

    def _begin(self, name: str, directives: Directives, call: Call, proceed: Handler[Call]) -> Flight:
        flight = Flight(call.deadline, patient=call.deadline - call.started >= self._options.total_s)
        self._flights.begin(name, flight, lambda flight: self._carrier.fly(flight, directives, call, proceed))
        return flight

    async def _ride(self, flight: Flight, directives: Directives, call: Call, *, began: bool) -> Reply | None:
        """Return the answer of the flight; None if the flight timed out before this call's own deadline."""
        boarded, stays = self._answers.clock.now(), False
        try:
            landing = await flight.landing(reads=call.request.stream)
            if isinstance(landing, Landed):
                return self._landed(call, directives, landing, boarded, began=began)
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

    def _landed(self, call: Call, directives: Directives, landing: Landed, boarded: float, *, began: bool) -> Reply:
        stored = landing.stored
        if landing.how == "hit":
            warning = None if self._answers.is_fresh(directives, stored) else STALE
            return self._hit(call, stored, warning, similarity=landing.similarity)
        self._share(call, landing, boarded, began=began)
        return replayed(call, stored.completion, stored.pace, self._answers.clock)

    def _refresh(self, directives: Directives, call: Call, proceed: Handler[Call]) -> None:
        """Fetch a new answer in the background, unless that is under way."""
        name = _names(directives, call)[0]
        if self._flights.find(name, call.deadline) is None:
            later = msgspec.structs.replace(call, journal=Journal())
            flight = Flight(call.deadline, patient=True)
            self._flights.begin(name, flight, lambda flight: self._carrier.renew(flight, directives, later, proceed))

    # --- answers and their accounting -------------------------------------------------------------------------------

    def _rescued(self, directives: Directives, call: Call, stored: Stored | None, error: GatewayError) -> Reply:
        """Return the stale answer in place of the error if that is allowed; else raise the error."""
        if stored is None or error.kind.blame is Blame.CALLER or not self._answers.rescues(directives, stored):
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
        """Note which call went upstream; a call that shares its answer waited since `boarded`, and costs nothing."""
        shared = not began or landing.elsewhere
        if shared:
            landing.origin.tell(call.journal)
            call.journal.upstream_s += self._answers.clock.now() - boarded
            call.journal.cost.add(0.0)
        self._note(call, "coalesced" if shared else "miss")

    def _note(self, call: Call, outcome: CacheOutcome, *, stale: bool = False) -> None:
        call.journal.cache = outcome
        self._tally.count(outcome, stale=stale)


def _names(directives: Directives, call: Call) -> tuple[str, ...]:
    """
    Return the names of the flights that a call may join, its own kind first: a stream can serve a whole answer, too.

    Calls with different options for retries, fallbacks or circuit breaking do not share a flight.
    """
    options, key = call.options, directives.key
    if not (options.retry and options.fallback and options.circuit_breaker) or options.max_attempts is not None:
        key += f" {(options.retry, options.fallback, options.circuit_breaker, options.max_attempts)}"
    return (f"{key} stream",) if call.request.stream else (key, f"{key} stream")
