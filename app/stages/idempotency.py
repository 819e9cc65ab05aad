"""
Execute calls with the same idempotency key once.

A call that repeats one in progress waits for it; one that repeats an answered one gets that answer, as a stream if it
was one. Only complete answers are kept: after a failure, or when the client of the first call left, the next call is
executed. Inside of the redaction, so that only redacted answers are kept; outside of sessions, limits and the cache,
which must see one call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from app.core.answers.assemble import whole_of
from app.core.caching.serving import replayed
from app.core.call import Call, Reply
from app.core.clock import Clock
from app.core.errors import IDEMPOTENCY_KEY_REUSED, GatewayError
from app.core.idempotency import Answered, Different, Leading, Repeats, name_of
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.signals import CallRepeated, Listener

REPLAYED: Final = "x-wizard-idempotent-replay"
_HEADER: Final = "idempotency-key"


class Idempotency:
    """
    Execute the calls with one key once.

    Args:
        answer_max_bytes: The largest streamed answer that is kept.
    """

    def __init__(self, answer_max_bytes: int, repeats: Repeats, clock: Clock, listener: Listener) -> None:
        self._answer_max_bytes = answer_max_bytes
        self._repeats = repeats
        self._clock = clock
        self._listener = listener

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Answer the call, or replay an answer; waiting is bounded by the call's deadline, which an outer stage enforces.

        Raises:
            GatewayError: IDEMPOTENCY_KEY_REUSED; STATE_UNAVAILABLE where that is the policy.
        """
        key = call.options.idempotency_key
        if key is None:
            return proceed(call)
        return self._answer(call, proceed, name_of(call.caller.tenant, key))

    async def _answer(self, call: Call, proceed: Handler[Call], name: str) -> Reply:
        polls = 0
        while True:
            claim = await self._repeats.claim(name, call.fingerprint)
            if isinstance(claim, Leading):
                return await self._lead(call, proceed, claim)
            if isinstance(claim, Answered):
                self._listener(CallRepeated(call.id))
                return _repeated(call, claim)
            if isinstance(claim, Different):
                message = "This idempotency key was used for another request."
                raise GatewayError(IDEMPOTENCY_KEY_REUSED, message, param=_HEADER)
            began = self._clock.now()
            await self._repeats.wait(claim, polls)
            call.journal.upstream_s += self._clock.now() - began  # the wait for a provider, through another call
            polls += 1

    async def _lead(self, call: Call, proceed: Handler[Call], leading: Leading) -> Reply:
        whole: Callable[[], Completion | None] = lambda: None  # noqa: E731 - until there is an answer

        def collect(reply: Reply) -> None:
            nonlocal whole
            whole = whole_of(reply, self._answer_max_bytes)

        def finish(outcome: Outcome) -> Awaitable[None]:
            answer = whole() if outcome.end is End.COMPLETED else None
            if answer is None:
                return self._repeats.give_up(leading)
            return self._repeats.keep(leading, Answered(call.fingerprint, answer, call.journal.target))

        without_key = msgspec.structs.replace(call, headers=_without_key(call.headers))
        return await settle(without_key, proceed, finish, collect)


def _without_key(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the headers without the key, which providers must not get: there, keys of all tenants would collide."""
    return tuple([header for header in headers if header[0] != _HEADER])


def _repeated(call: Call, answered: Answered) -> Reply:
    call.journal.notes[REPLAYED] = "true"
    call.journal.target = answered.target
    return replayed(call, answered.completion)
