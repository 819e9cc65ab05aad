"""Gives other processes the streams of this one, and this one theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.core.tapes import Readable, Tape, TapeEnd
from app.state.answers.leases import Leaders, Means
from app.state.link import StateLostError, out_of_reach
from app.state.tapes.copying import TapeCopy
from app.state.tapes.entries import Seal
from app.state.tapes.following import FollowedTape


class SharedTapes:
    """See `app.core.tapes.TapeCopies`. `replica` is the unique name of this replica."""

    def __init__(self, replica: str, means: Means, seal: Callable[[str], Seal]) -> None:
        self._replica = replica
        self._means = means
        self._seal = seal
        self._leaders = Leaders(replica, means)
        self._copies: set[TapeCopy] = set()

    def share(self, tape: Tape) -> None:
        """Copy a tape for other processes, from its beginning to its end."""
        copy = TapeCopy(tape, self._seal(tape.id), self._leaders, self._copies.discard)
        self._copies.add(copy)
        copy.begin(self._replica)

    async def find(self, tape_id: str, tenant: str, after: int) -> Readable | None:
        """
        Return a stream of `tenant` from another process; None if there is none.

        If the stream is missing, or has fewer events than `after`, its entries may still be on their way to Redis. So
        this waits: for a moment, or with a reader's patience if the stream is in progress and behind.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """
        found = FollowedTape(tape_id, self._seal(tape_id), self._means)
        clock, rhythm = self._means.clock, self._means.rhythm
        since = clock.now()
        try:
            await found.catch_up()
            while not found.begun and clock.now() - since < rhythm.letters_s:
                await clock.sleep(rhythm.heard_s)
                await found.catch_up()
        except StateLostError as error:
            raise out_of_reach("The streams of other replicas are found in") from error
        if found.taped.tenant != tenant:
            return None
        while found.ending is None and found.events < after and clock.now() - since < rhythm.patience_s:
            await found.follow()
        return None if found.ending is TapeEnd.LOST else found

    @property
    def writing(self) -> int:
        """Return the number of incomplete copies."""
        return len(self._copies)

    async def aclose(self) -> None:
        """Write pending entries."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._means.rhythm.renewed_s):
                await asyncio.gather(*[copy.flush() for copy in self._copies])
