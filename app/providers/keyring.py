"""
Sends an attempt with one of several keys, and with the next one if that key is rejected.

Changing keys is not a retry: there is no pause, and the provider has not begun to answer. Only refusals of the key
itself count against it, because a request could provoke others, and no caller may be able to exhaust the keys of all:

    answer of the provider                      effect on the key
    429, or a rate limit in place of an answer  cools for its Retry-After
    quota spent                                 disabled
    401                                         disabled
    403                                         disabled if another key does better: contents may be refused so as well
    413 as a rate limit (the request is large)  none
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from app.core.bodies import Upload
from app.core.call import Reply
from app.core.clock import Clock
from app.core.errors import TARGET_MISCONFIGURED, TARGET_QUOTA_SPENT, TARGET_RATE_LIMITED, GatewayError
from app.core.provider_keys import COOL_MAX_S, COOL_S, DISABLED_S, Fault, KeyPool
from app.core.signals import KeySetAside, Listener


class KeyRing(msgspec.Struct, frozen=True):
    """The keys of the provider `name`; reports to a listener when one is set aside."""

    name: str
    pool: KeyPool
    clock: Clock
    listener: Listener

    async def send(self, send: Callable[[str], Awaitable[Reply]], upload: Upload | None = None) -> Reply:
        """
        Call `send` with one key after another, each at most once, until one is not rejected.

        An `upload` that has begun cannot be sent again: the caller then gets the failure, which still counts against
        the key.

        Raises:
            GatewayError: From `send`; TARGET_RATE_LIMITED with the earliest time to retry if all keys are cooling.
        """
        place = self._first()
        tried, forbidden = [place], list[int]()
        while True:
            try:
                reply = await send(self.pool[place].secret)
            except GatewayError as error:
                if error.kind is TARGET_MISCONFIGURED and error.upstream_status == HTTPStatus.FORBIDDEN:
                    forbidden.append(place)
                else:
                    self._judge(place, error)
                if upload is not None and upload.begun:
                    raise
                place = self._next(error, tried)
                tried.append(place)
            else:
                self.pool[place].worked()
                for other in forbidden:
                    self._set_aside(other, Fault.REFUSED, DISABLED_S)
                return reply

    def _first(self) -> int:
        now = self.clock.now()
        place = self.pool.take(now)
        if place is None:
            raise self.pool.refusal(now).at(self.name)
        return place

    def _judge(self, place: int, error: GatewayError) -> None:
        """Set a rejected key aside; raise any other failure."""
        kind, status = error.kind, error.upstream_status
        if kind is TARGET_RATE_LIMITED and status in {None, HTTPStatus.TOO_MANY_REQUESTS}:
            wait_s = COOL_S if error.retry_after_s is None else min(error.retry_after_s, COOL_MAX_S)
            self._set_aside(place, Fault.RATE_LIMITED, wait_s)
        elif kind is TARGET_QUOTA_SPENT:
            self._set_aside(place, Fault.QUOTA_SPENT, DISABLED_S)
        elif kind is TARGET_MISCONFIGURED and status == HTTPStatus.UNAUTHORIZED:
            self._set_aside(place, Fault.REFUSED, DISABLED_S)
        else:
            raise error

    def _set_aside(self, place: int, fault: Fault, pause_s: float) -> None:
        if self.pool[place].set_aside(fault, pause_s, self.clock.now()):
            self.listener(KeySetAside(self.name, place + 1, fault.value, pause_s))

    def _next(self, error: GatewayError, tried: list[int]) -> int:
        """Return the next key; if there is none, raise the failure."""
        now = self.clock.now()
        place = self.pool.take(now, tried)
        if place is not None:
            return place
        if self.pool.usable(now):  # all of which this attempt has tried
            raise error
        refusal = self.pool.refusal(now)
        refusal.upstream_status = error.upstream_status
        raise refusal.answered_by(self.name) from error
