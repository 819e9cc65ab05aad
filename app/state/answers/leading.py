"""Leads an upstream call for all replicas: holds the lease, and publishes the answer to followers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from app.core.answers.usage_shown import UsageShown
from app.core.caching.broadcast import Broadcast, Reader
from app.core.caching.single_flight import Flight
from app.core.caching.stored import Origin, Stored
from app.core.errors import GatewayError
from app.state.answers.entries import Apart, Done, Entry, Frames, Head, Whole, failed, packed, written
from app.state.answers.leases import Leaders
from app.state.link import StateLostError, unheeded

_COMPRESSED_BYTES: Final = 4096


class HeldLease:
    """
    A lease that Redis has granted for the call of `flight`; see `app.core.caching.ports.Lease`.

    While other replicas follow, it takes part in the flight as a caller does, so that the call goes on for them.
    """

    def __init__(self, leaders: Leaders, key: str, token: str, flight: Flight) -> None:
        self.key = key
        self.token = token
        self._leaders = leaders
        self._means = leaders.means
        self._flight = flight
        self._renewed = self._means.clock.now()
        self._wanted: float | None = None
        self._numbers = 0
        self._broadcast: Broadcast | None = None
        self._telling: asyncio.Task[None] | None = None
        leaders.hold(self)

    def want(self, now: float) -> None:
        """Note a follower."""
        if self._wanted is None:
            self._flight.board()
        self._wanted = now
        self._begin_to_tell()

    def keep(self, now: float) -> None:
        """Renew the lease; leave the flight if it has no followers any more."""
        means = self._means
        if now - self._renewed >= means.rhythm.renewed_s and means.link.up:
            self._renewed = now
            unheeded(means.store.renew(self.key, self.token, means.rhythm.lease_ms))
        if self._wanted is not None and now - self._wanted >= means.rhythm.lease_s:
            self._leave()

    # --- for the flight ----------------------------------------------------------------------------------------------

    def streams(self, broadcast: Broadcast) -> None:
        """Offer the stream to followers."""
        self._broadcast = broadcast
        self._begin_to_tell()

    def done(self, stored: Stored | None) -> None:
        """Give the lease back: the answer is complete."""
        if self._telling is None and stored is not None:
            self._tell(Whole(packed(stored, _COMPRESSED_BYTES)))
        self._end()

    def failed(self, error: GatewayError, origin: Origin) -> None:
        """Give the lease back: there is no answer for those who wait now."""
        if self._telling is None:
            self._tell(failed(error, origin))
        self._end()

    def drop(self) -> None:
        """Give the lease back: somebody else may make the call."""
        self._end()

    def _end(self) -> None:
        self._leave()
        if self._telling is None:
            self._leaders.give_back(self)
        else:
            self._telling.add_done_callback(lambda _: self._leaders.give_back(self))

    def _leave(self) -> None:
        if self._wanted is not None:
            self._wanted = None
            closing = self._flight.leave()
            if closing is not None:
                self._means.flights.finish(closing)

    # --- for followers -----------------------------------------------------------------------------------------------

    def _begin_to_tell(self) -> None:
        broadcast = self._broadcast
        if self._wanted is None or self._telling is not None or broadcast is None:
            return
        if broadcast.joinable:
            self._telling = self._means.flights.run(self._relay(broadcast.origin, broadcast.join()))
        else:
            self._tell(Apart())

    def _tell(self, entry: Entry) -> None:
        if self._wanted is not None and self._means.link.up:
            unheeded(self._means.store.tell(self.key, self.token, self._written(entry)))

    async def _relay(self, origin: Origin, reader: Reader) -> None:
        """Publish a whole stream, with its usage; followers hide that from callers who did not ask for it."""
        shown = UsageShown()
        try:
            await self._told(Head(origin))
            async for batch in reader.batches():
                await self._told(Frames(tuple([event.frame for event in shown(batch) if event.frame])))
        except GatewayError as error:
            await self._told(failed(error))
        except StateLostError:
            return  # followers have given up by now, too
        else:
            await self._told(Done())
        finally:
            reader.leave()

    async def _told(self, entry: Entry) -> None:
        """
        Publish an entry, as soon as Redis is in reach.

        Raises:
            StateLostError: It was out of reach for too long.
        """
        means, entries = self._means, self._written(entry)
        until = means.clock.now() + means.rhythm.patience_s
        while True:
            try:
                if means.link.up:
                    await means.link.ask(means.store.tell(self.key, self.token, entries))
                    return
            except StateLostError:
                pass
            if means.clock.now() >= until:
                raise StateLostError("nobody could be told")
            await means.clock.sleep(means.rhythm.looked_s)

    def _written(self, entry: Entry) -> Sequence[bytes]:
        self._numbers += 1
        return (written(self._numbers, entry),)
