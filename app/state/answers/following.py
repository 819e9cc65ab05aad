"""Follows an upstream call of another replica: asks for its answer, and reads that from Redis as it arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from app.core.answers.replay import event_of
from app.core.caching.ports import LeaderGoneError, RemoteStream
from app.core.caching.stored import Origin, Stored
from app.core.errors import STREAM_BROKEN, GatewayError
from app.core.stream import Batch
from app.state.answers.entries import Done, Entry, Failed, Frames, Head, Whole, error_of, read, unpacked
from app.state.answers.leases import Hearing, Means
from app.state.link import StateLostError


class FollowedCall:
    """One call, by its key and its leader's token; see `app.core.caching.ports.Remote`."""

    def __init__(self, key: str, token: str, means: Means) -> None:
        self._replica = token.partition(".")[0]
        self._hearing = Hearing(key, token, means)
        self._means = means
        self._number = 0
        self.origin: Origin | None = None

    async def landing(self) -> Stored | RemoteStream:
        """Wait for the answer, or its first part."""
        while True:
            try:
                news = await self._listen()
            except StateLostError as error:
                raise LeaderGoneError from error
            if news:
                return self._understood(news)
            await self._means.clock.sleep(self._means.rhythm.heard_s)

    def _understood(self, news: list[Entry]) -> Stored | RemoteStream:
        match news[0]:
            case Head(origin):
                return RemoteStream(origin, self._batches(news[1:]))
            case Whole(blob) if (stored := unpacked(blob)) is not None:
                return stored
            case Failed() as entry:
                self.origin = entry.origin
                raise error_of(entry)
            case _:
                raise LeaderGoneError

    async def _batches(self, news: list[Entry]) -> AsyncGenerator[Batch, None]:
        while True:
            batch = [event_of(frame) for entry in news if isinstance(entry, Frames) for frame in entry.frames]
            if batch:
                yield batch
            for entry in news:
                if isinstance(entry, Done):
                    return
                if isinstance(entry, Failed):
                    raise error_of(entry)
            await self._means.clock.sleep(self._means.rhythm.heard_s)
            news = await self._more()

    async def _more(self) -> list[Entry]:
        until = self._means.clock.now() + self._means.rhythm.patience_s
        while True:
            try:
                return await self._listen()
            except LeaderGoneError as error:
                raise GatewayError(STREAM_BROKEN, "The replica that read the answer is gone.") from error
            except StateLostError as error:
                if self._means.clock.now() >= until:
                    raise GatewayError(STREAM_BROKEN, "The answer is read by another replica, out of reach.") from error
            await self._means.clock.sleep(self._means.rhythm.heard_s)

    async def _listen(self) -> list[Entry]:
        """
        Return new entries.

        Raises:
            LeaderGoneError: There are none, and there will be none.
            StateLostError: Redis is out of reach.
        """
        if self._means.link.up:
            self._hearing.ask_for_more(self._replica)
        alive, entries, stored = await self._hearing.news()
        news: list[Entry] = []
        try:
            for number, entry in map(read, entries):
                if number > self._number:  # a duplicate otherwise, sent again because Redis was slow to confirm it
                    self._number = number
                    news.append(entry)
        except msgspec.MsgspecError as error:
            raise LeaderGoneError from error
        if stored:
            return [*news, Whole(stored)]
        if not alive and not entries:
            raise LeaderGoneError
        return news
