"""The `UpstreamClient` of the hot path: HTTP/1.1 over keep-alive connections, and no feature that calls do not need."""

from __future__ import annotations

import asyncio
import functools
from typing import Final

from app.core.errors import TARGET_UNAVAILABLE, TIMEOUT_CONNECT, GatewayError
from app.core.ports import HttpRequest
from app.providers.pool.connection import Connection
from app.providers.pool.dial import Dialer
from app.providers.pool.encode import Head, encode_head
from app.providers.pool.gate import Gate
from app.providers.pool.lane import Lane
from app.providers.pool.options import PoolOptions
from app.providers.pool.origin import Address, Origin, locate
from app.providers.pool.reply import PoolReply
from app.providers.pool.tls import Trust
from app.providers.pool.upload import upload

_REMEMBERED: Final = 512  # cached heads and URLs: providers times the variants of callers' headers


class PoolClient:
    """
    Sends requests over connections that it opens, keeps and owns; close it with `aclose`.

    Create and use it inside one event loop. docs/upstream-pool.md describes its guarantees and limits.

    Raises:
        GatewayError: TARGET_MISCONFIGURED for TLS files that cannot be used.
    """

    def __init__(self, options: PoolOptions) -> None:
        self._options = options
        self._everyone = Gate(options.connections_max)
        self._dialer = Dialer(Trust(options.tls))
        self._lanes: dict[Origin, Lane] = {}
        self._open: set[Connection] = set()
        self._closed = False
        self._find = functools.lru_cache(_REMEMBERED)(self._found)
        self._plan = functools.lru_cache(_REMEMBERED)(self._planned)

    async def send(self, request: HttpRequest) -> PoolReply:
        """
        Send `request` and return once the head of the answer is there; see the port.

        A connection that the peer has closed is not used. A connection that breaks after the request was sent is an
        ordinary failure, because the peer may have acted on the request: nothing is ever sent twice.

        Raises:
            GatewayError: TIMEOUT_CONNECT if there was no connection in time; TARGET_UNAVAILABLE or BAD_UPSTREAM_REPLY
                for what the peer did; TARGET_MISCONFIGURED or INVALID_REQUEST for what cannot be sent.
        """
        lane, head = self._plan(request.method, request.url, request.headers)
        if request.upload is not None:  # cannot be sent again, so it does not use a connection that may be closing
            fresh = await self._obtain(lane, request.connect_s, fresh=True)
            return await upload(fresh, head, request.body, request.upload)
        connection = lane.reuse() or await self._obtain(lane, request.connect_s)
        reply = connection.exchange(head, request.body)
        try:
            await connection.answer
        except asyncio.CancelledError:
            await reply.aclose()
            raise
        return reply

    async def warm(self, url: str, count: int, connect_s: float) -> int:
        """
        Open connections until `count` are idle at the origin of `url`, or its bound is reached; return their number.

        Failures to connect within `connect_s` are ignored: calls will report them.

        Raises:
            GatewayError: TARGET_MISCONFIGURED if `url` is invalid.
        """
        lane, _ = self._find(url)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, self._options.per_origin_max) - lane.resting):
                group.create_task(self._warm_one(lane, connect_s))
        return lane.resting

    async def aclose(self) -> None:
        """Close all connections and wait for their sockets; calls in progress fail."""
        self._closed = True
        for lane in self._lanes.values():
            lane.close()
        closing = [*self._open]
        for connection in closing:
            connection.fail(_closed())
        if closing:
            await asyncio.wait([connection.lost for connection in closing])

    def _planned(self, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> tuple[Lane, Head]:
        lane, address = self._find(url)
        return lane, encode_head(method, address, headers)

    def _found(self, url: str) -> tuple[Lane, Address]:
        address = locate(url)
        lane = self._lanes.get(address.origin)
        if lane is None:
            lane = self._lanes[address.origin] = Lane(address.origin, self._options, self._everyone)
        return lane, address

    async def _obtain(self, lane: Lane, connect_s: float, *, fresh: bool = False) -> Connection:
        """Wait for a place, and return an idle connection or, if `fresh` or there is none, a new one."""
        try:
            async with asyncio.timeout(connect_s):
                await lane.enter()
                try:
                    resting = None if fresh else lane.take()
                    return resting or await self._dial(lane)
                except BaseException:
                    lane.leave()
                    raise
        except TimeoutError as error:
            raise GatewayError(TIMEOUT_CONNECT, f"No connection to the provider within {connect_s:g} s.") from error

    async def _dial(self, lane: Lane) -> Connection:
        self._make_room(lane)
        connection = await self._dialer.dial(lane.origin, lambda: Connection(lane, self._options))
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _lost: self._open.discard(connection))
        if self._closed:
            connection.drop()
            raise _closed()
        return connection

    def _make_room(self, lane: Lane) -> None:
        """Close the longest idle connection if one more would exceed the bounds; the gates bound the busy ones."""
        while lane.crowded:
            lane.close_oldest()
        while self._everyone.used + sum(each.resting for each in self._lanes.values()) > self._everyone.places:
            min(self._lanes.values(), key=lambda each: each.oldest).close_oldest()

    async def _warm_one(self, lane: Lane, connect_s: float) -> None:
        try:
            connection = await self._obtain(lane, connect_s, fresh=True)
        except GatewayError:
            return
        lane.ready(connection)


def _closed() -> GatewayError:
    return GatewayError(TARGET_UNAVAILABLE, "The gateway has closed its connections to this provider.")
