"""The work of a flight: make the upstream call, or follow the replica that makes it, and pass on the answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from app.core.answers.assemble import Assembler
from app.core.caching.answers import Answers
from app.core.caching.broadcast import Broadcast, BroadcastBounds
from app.core.caching.directives import Directives
from app.core.caching.ports import LeaderGoneError, Lease, Looked, Remote, RemoteStream
from app.core.caching.semantic import Semantics
from app.core.caching.serving import Stopwatch
from app.core.caching.single_flight import Flight, Landed
from app.core.caching.stored import Origin, Stored
from app.core.call import Call, Reply
from app.core.errors import STREAM_BROKEN, TIMEOUT_TOTAL, GatewayError
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler
from app.core.stream import Batch, EventStream
from app.core.time_limit import TimeLimit

_LEADERS_MAX: Final = 3  # replicas followed without getting an answer, before this one makes its own call

_GONE_MAX: Final = 3  # similar questions found whose answers are gone, before the search is given up


class _NoLease:
    """The lease where nothing is shared: does nothing."""

    def streams(self, broadcast: Broadcast) -> None:
        pass

    def done(self, stored: Stored | None) -> None:
        pass

    def failed(self, error: GatewayError, origin: Origin) -> None:
        pass

    def drop(self) -> None:
        pass


_NO_LEASE: Final = _NoLease()
_NOTHING_KNOWN: Final = Looked()


class Similar(msgspec.Struct, frozen=True):
    """The answer to a similar question, if one was found, and the vector of this question, to be indexed."""

    stored: Stored | None = None
    similarity: float = 0.0
    vector: Sequence[float] | None = None


NOTHING: Final = Similar()


class Carrier:
    """
    Makes upstream calls and stores their answers.

    Args:
        semantics: Finds answers to similar questions; None: only exact matches.

        paced: Whether the pace of streams is recorded.
    """

    def __init__(
        self, answers: Answers, bounds: BroadcastBounds, semantics: Semantics | None = None, *, paced: bool
    ) -> None:
        self.answers = answers
        self._bounds = bounds
        self._semantics = semantics
        self._paced = paced

    async def similar(self, directives: Directives, call: Call, proceed: Handler[Call]) -> Similar:
        """Look for a fresh answer to a similar question; makes an embedding call."""
        semantics, meaning = self._semantics, directives.meaning
        if semantics is None or meaning is None or not directives.reads or directives.stored_only:
            return NOTHING
        vector = await semantics.vector(meaning, call, proceed)
        if vector is None:
            return NOTHING
        for _ in range(_GONE_MAX):
            near = await semantics.nearest(meaning, vector, directives.similarity)
            if near is None:
                break
            wanted = msgspec.structs.replace(directives, key=near.key)
            stored = await self.answers.anywhere(wanted)
            if stored is not None and self.answers.is_fresh(wanted, stored):
                return Similar(stored, near.similarity, vector)
            semantics.index.forget(meaning.space, near.key)
        return Similar(vector=vector)

    async def alone(
        self, directives: Directives, call: Call, proceed: Handler[Call], similar: Similar = NOTHING
    ) -> Reply:
        """Make a call that shares its answer with no other in flight, and store the answer if that is allowed."""
        reply = await proceed(call)
        body = reply.body
        if isinstance(body, Completion):
            self._keep(directives, call, body, similar)
            return reply
        assembler, watch = Assembler(self._bounds.answer_max_bytes), self._watch(body)

        def close(outcome: Outcome) -> None:
            completion = assembler.completion() if outcome.end is End.COMPLETED and not _has_seam(call) else None
            if completion is not None:
                self._keep(directives, call, completion, similar, watch)

        body.observe(assembler.observe)
        body.when_done(close)
        return reply

    def fly(
        self, flight: Flight, directives: Directives, call: Call, proceed: Handler[Call]
    ) -> Coroutine[Any, Any, None]:
        """Return the work of a flight, which raises what the call fails with."""
        if self.answers.shared is None:
            return self._lead(flight, directives, call, proceed, None)
        return self._fly_among_others(flight, directives, call, proceed)

    async def _fly_among_others(
        self, flight: Flight, directives: Directives, call: Call, proceed: Handler[Call]
    ) -> None:
        """Take a stored answer, follow the replica that makes the call, or make it on behalf of all replicas."""
        looked = _NOTHING_KNOWN
        for _ in range(_LEADERS_MAX):
            looked = await self._look(flight, directives)
            if looked.stored is not None and self.answers.is_fresh(directives, looked.stored):
                return
            if looked.remote is None:
                break
            if flight.landed or await self._follow(flight, directives, call, looked.remote):
                return
        leading = self._lead(flight, directives, call, proceed, looked.lease)
        await (_in_time(leading, flight.deadline) if flight.landed else leading)

    async def renew(self, flight: Flight, directives: Directives, call: Call, proceed: Handler[Call]) -> None:
        """Do the work of a flight that revalidates: its passengers were served a stale answer, so nobody waits."""
        await _in_time(self.fly(flight, directives, call, proceed), flight.deadline)

    async def _look(self, flight: Flight, directives: Directives) -> Looked:
        """Look into the shared store, and land with a stored answer if that may be served."""
        shared = self.answers.shared
        if shared is None:
            return _NOTHING_KNOWN
        looked = await shared.look(directives.key, flight)
        if looked.stored is not None and not flight.landed:
            self.answers.copy(directives.key, looked.stored)
            flight.stale = looked.stored
            if self.answers.is_fresh(directives, looked.stored) or self.answers.bridges(directives, looked.stored):
                flight.land(Landed(looked.stored, "hit"))
        return looked

    async def _lead(
        self, flight: Flight, directives: Directives, call: Call, proceed: Handler[Call], lease: Lease | None
    ) -> None:
        lease = lease or _NO_LEASE
        try:
            similar = NOTHING if self._semantics is None else await self.similar(directives, call, proceed)
            if similar.stored is not None and not flight.landed:
                flight.land(Landed(similar.stored, "hit", similar.similarity))
                lease.done(similar.stored)
                return
            reply = await proceed(call)
            if isinstance(reply.body, Completion):
                stored = self._keep(directives, call, reply.body, similar)
                flight.land(Landed(stored, "fresh"))
                lease.done(stored)
                return
            broadcast, watch = Broadcast(Origin.of(call.journal), self._bounds), self._watch(reply.body)
            async with aclosing(reply.body):
                lease.streams(broadcast)
                await _pour(reply.body, broadcast, flight)
            completion = None if _has_seam(call) else broadcast.assembler.completion()
            lease.done(None if completion is None else self._keep(directives, call, completion, similar, watch))
            broadcast.close(None)
        except GatewayError as error:
            error.retries_spent = call.journal.retries_spent
            flight.origin = origin = Origin.of(call.journal)
            lease.failed(error, origin)
            raise
        except BaseException:
            lease.drop()
            raise

    async def _follow(self, flight: Flight, directives: Directives, call: Call, remote: Remote) -> bool:
        """Get the answer from the replica that makes the call; return whether there was one."""
        try:
            landing = await remote.landing()
        except LeaderGoneError:
            return False
        except GatewayError:
            flight.origin = remote.origin
            raise
        if isinstance(landing, RemoteStream):
            broadcast = Broadcast(landing.origin, self._bounds, elsewhere=True)
            async with aclosing(landing.batches):
                await _pour(landing.batches, broadcast, flight)
            broadcast.close(None)
            return True
        if self.answers.policy.stores(call.request.operation, landing.completion):
            self.answers.copy(directives.key, landing)
        flight.land(Landed(landing, "elsewhere"))
        return True

    def _keep(
        self,
        directives: Directives,
        call: Call,
        completion: Completion,
        similar: Similar,
        watch: Stopwatch | None = None,
    ) -> Stored:
        stored = self.answers.keep(directives, call, completion, watch.pace() if watch else ())
        if self._semantics is not None and directives.meaning is not None and similar.vector is not None:
            self._semantics.index.add(directives.meaning.space, directives.key, similar.vector, stored.fresh_s)
        return stored

    def _watch(self, stream: EventStream) -> Stopwatch | None:
        if not self._paced:
            return None
        watch = Stopwatch(self.answers.clock.now)
        stream.observe(watch.observe)
        return watch


def _has_seam(call: Call) -> bool:
    """Return whether several targets wrote the answer; such an answer is served to those who wait, but not stored."""
    return bool(call.journal.recovered)


async def _in_time(work: Awaitable[None], deadline: float) -> None:
    """Bound work that no caller's deadline bounds; raises TIMEOUT_TOTAL, and what the work raises."""
    try:
        with TimeLimit(deadline):
            await work
    except TimeoutError as error:
        raise GatewayError(TIMEOUT_TOTAL, "No complete answer in time.") from error


async def _pour(source: AsyncIterable[Batch], broadcast: Broadcast, flight: Flight) -> None:
    """Land with a stream and relay it to the passengers; closes the broadcast if that fails, but not at its end."""
    flight.land(broadcast)
    try:
        await broadcast.relay(source)
    except GatewayError as error:
        broadcast.close(error)
        raise
    except BaseException:
        broadcast.close(GatewayError(STREAM_BROKEN, "The gateway gave up the answer."))
        raise
