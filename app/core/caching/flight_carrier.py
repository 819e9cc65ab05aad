"""
What a flight does: make the upstream call, or follow the replica that makes it, and let the passengers have the answer.
"""

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

_LEADERS_MAX: Final = 3  # other replicas whose calls came to nothing, before this one makes its own

_GONE_MAX: Final = 3  # similar questions whose answers are gone, before the call goes on without


class _NoLease:
    """What there is to tell others where there are no others."""

    def streams(self, broadcast: Broadcast) -> None:
        pass

    def done(self, stored: Stored | None) -> None:
        pass

    def failed(self, error: GatewayError, origin: Origin) -> None:
        pass

    def drop(self) -> None:
        pass


_NO_LEASE: Final = _NoLease()
_NOBODY: Final = Looked()


class Similar(msgspec.Struct, frozen=True):
    """What was found for a similar question, and the vector of this one, by which others will find its answer."""

    stored: Stored | None = None
    similarity: float = 0.0
    vector: Sequence[float] | None = None


NOTHING: Final = Similar()


class Carrier:
    """
    Makes upstream calls whose answers are kept.

    Args:
        semantics: Finds answers to similar questions, where that is wanted.

        paced: Whether it is noted how fast streams come.
    """

    def __init__(
        self, answers: Answers, bounds: BroadcastBounds, semantics: Semantics | None = None, *, paced: bool
    ) -> None:
        self.answers = answers
        self._bounds = bounds
        self._semantics = semantics
        self._paced = paced

    async def similar(self, asked: Directives, call: Call, proceed: Handler[Call]) -> Similar:
        """Look for the answer to a similar question; asks a provider for a vector."""
        semantics, meaning = self._semantics, asked.meaning
        if semantics is None or meaning is None or not asked.reads or asked.stored_only:
            return NOTHING
        vector = await semantics.vector(meaning, call, proceed)
        if vector is None:
            return NOTHING
        for _ in range(_GONE_MAX):
            near = await semantics.nearest(meaning, vector, asked.similarity)
            if near is None:
                break
            there = msgspec.structs.replace(asked, key=near.key)
            stored = await self.answers.anywhere(there)
            if stored is not None and self.answers.is_fresh(there, stored):
                return Similar(stored, near.similarity, vector)
            semantics.index.forget(meaning.space, near.key)
        return Similar(vector=vector)

    async def alone(self, asked: Directives, call: Call, proceed: Handler[Call], similar: Similar = NOTHING) -> Reply:
        """Make a call for itself, and leave its answer behind if it may."""
        reply = await proceed(call)
        body = reply.body
        if isinstance(body, Completion):
            self._keep(asked, call, body, similar)
            return reply
        assembler, watch = Assembler(self._bounds.answer_max_bytes), self._watch(body)

        def close(outcome: Outcome) -> None:
            completion = assembler.completion() if outcome.end is End.COMPLETED and not _has_seam(call) else None
            if completion is not None:
                self._keep(asked, call, completion, similar, watch)

        body.observe(assembler.observe)
        body.when_done(close)
        return reply

    def fly(self, flight: Flight, asked: Directives, call: Call, proceed: Handler[Call]) -> Coroutine[Any, Any, None]:
        """Do the work of a flight, or raise why there is no answer."""
        if self.answers.shared is None:
            return self._lead(flight, asked, call, proceed, None)
        return self._fly_among_others(flight, asked, call, proceed)

    async def _fly_among_others(self, flight: Flight, asked: Directives, call: Call, proceed: Handler[Call]) -> None:
        """Find out what the replicas know, follow the one that makes the call, or make it for all."""
        looked = _NOBODY
        for _ in range(_LEADERS_MAX):
            looked = await self._look(flight, asked)
            if looked.stored is not None and self.answers.is_fresh(asked, looked.stored):
                return
            if looked.remote is None:
                break
            if flight.landed or await self._follow(flight, asked, call, looked.remote):
                return
        leading = self._lead(flight, asked, call, proceed, looked.lease)
        await (_in_time(leading, flight.deadline) if flight.landed else leading)

    async def renew(self, flight: Flight, asked: Directives, call: Call, proceed: Handler[Call]) -> None:
        """Do the work of a flight that nobody waits for: the answer has been given, although it is stale."""
        await _in_time(self.fly(flight, asked, call, proceed), flight.deadline)

    async def _look(self, flight: Flight, asked: Directives) -> Looked:
        """Ask what the replicas know, and land with a stored answer if that may be given."""
        shared = self.answers.shared
        if shared is None:
            return _NOBODY
        looked = await shared.look(asked.key, flight)
        if looked.stored is not None and not flight.landed:
            self.answers.copy(asked.key, looked.stored)
            flight.stale = looked.stored
            if self.answers.is_fresh(asked, looked.stored) or self.answers.bridges(asked, looked.stored):
                flight.land(Landed(looked.stored, "hit"))
        return looked

    async def _lead(
        self, flight: Flight, asked: Directives, call: Call, proceed: Handler[Call], lease: Lease | None
    ) -> None:
        lease = lease or _NO_LEASE
        try:
            similar = NOTHING if self._semantics is None else await self.similar(asked, call, proceed)
            if similar.stored is not None and not flight.landed:
                flight.land(Landed(similar.stored, "hit", similar.similarity))
                lease.done(similar.stored)
                return
            reply = await proceed(call)
            if isinstance(reply.body, Completion):
                stored = self._keep(asked, call, reply.body, similar)
                flight.land(Landed(stored, "fresh"))
                lease.done(stored)
                return
            broadcast, watch = Broadcast(Origin.of(call.journal), self._bounds), self._watch(reply.body)
            async with aclosing(reply.body):
                lease.streams(broadcast)
                await _pour(reply.body, broadcast, flight)
            completion = None if _has_seam(call) else broadcast.assembler.completion()
            lease.done(None if completion is None else self._keep(asked, call, completion, similar, watch))
            broadcast.close(None)
        except GatewayError as error:
            error.retries_spent = call.journal.retries_spent
            flight.origin = origin = Origin.of(call.journal)
            lease.failed(error, origin)
            raise
        except BaseException:
            lease.drop()
            raise

    async def _follow(self, flight: Flight, asked: Directives, call: Call, remote: Remote) -> bool:
        """Get the answer from another replica; say whether there was one."""
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
            self.answers.copy(asked.key, landing)
        flight.land(Landed(landing, "elsewhere"))
        return True

    def _keep(
        self, asked: Directives, call: Call, completion: Completion, similar: Similar, watch: Stopwatch | None = None
    ) -> Stored:
        stored = self.answers.keep(asked, call, completion, watch.pace() if watch else ())
        if self._semantics is not None and asked.meaning is not None and similar.vector is not None:
            self._semantics.index.add(asked.meaning.space, asked.key, similar.vector, stored.fresh_s)
        return stored

    def _watch(self, stream: EventStream) -> Stopwatch | None:
        if not self._paced:
            return None
        watch = Stopwatch(self.answers.clock.now)
        stream.observe(watch.observe)
        return watch


def _has_seam(call: Call) -> bool:
    """Say whether several targets wrote the answer: it is for those who wait, and not for everybody after them."""
    return bool(call.journal.recovered)


async def _in_time(work: Awaitable[None], deadline: float) -> None:
    """Bound what nobody is there to lose patience with; raises TIMEOUT_TOTAL, and what the work raises."""
    try:
        with TimeLimit(deadline):
            await work
    except TimeoutError as error:
        raise GatewayError(TIMEOUT_TOTAL, "No complete answer in time.") from error


async def _pour(source: AsyncIterable[Batch], broadcast: Broadcast, flight: Flight) -> None:
    """Land with a stream and give it to the passengers; they are told if it fails, but not yet that it is over."""
    flight.land(broadcast)
    try:
        await broadcast.relay(source)
    except GatewayError as error:
        broadcast.close(error)
        raise
    except BaseException:
        broadcast.close(GatewayError(STREAM_BROKEN, "The gateway gave up the answer."))
        raise
