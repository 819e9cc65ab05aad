"""Try the targets of a call one after another. The only place where a call becomes attempts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from app.core.call import Attempt, Call, Reply, Tried
from app.core.errors import (
    CIRCUIT_OPEN,
    OVERLOADED,
    RATE_LIMITED,
    TARGET_UNAVAILABLE,
    TIMEOUT_CONNECT,
    Again,
    GatewayError,
    Kind,
)
from app.core.pipeline import Handler
from app.core.routing.router import Targets
from app.core.signals import FellBack, Listener

# Returns a context that runs the attempts of a call concurrently, or None to run them in sequence; see `hedge`.
Hedging: TypeAlias = Callable[[Call, Targets, Handler[Attempt]], AbstractAsyncContextManager[Handler[Attempt]] | None]

_NOT_ASKED = (CIRCUIT_OPEN, OVERLOADED, RATE_LIMITED)
_NOT_REACHED = (TARGET_UNAVAILABLE, TIMEOUT_CONNECT)


class Fallback:
    """
    Try a call's targets in order until one answers.

    Args:
        route: The targets of a call, at least one; raises `GatewayError` for a model that does not exist.

        attempt: The handler of one attempt.

        triggers: Names of the failures (`Kind.trigger`) that may move a call to the next target.

        listener: Notified of each move.

        hedging: May start the second target early.
    """

    def __init__(
        self,
        route: Callable[[Call], Targets],
        attempt: Handler[Attempt],
        triggers: AbstractSet[str],
        listener: Listener,
        hedging: Hedging | None = None,
    ) -> None:
        self._route = route
        self._attempt = attempt
        self._triggers = triggers
        self._listener = listener
        self._hedging = hedging

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Return the first target's answer, or raise the most useful of the failures."""
        targets = self._route(call)
        hedged = None if self._hedging is None else self._hedging(call, targets, self._attempt)
        if hedged is None:
            return self._walk(call, targets, self._attempt)
        return self._hedged(call, targets, hedged)

    async def _hedged(
        self, call: Call, targets: Targets, hedged: AbstractAsyncContextManager[Handler[Attempt]]
    ) -> Reply:
        async with hedged as attempt:
            return await self._walk(call, targets, attempt)

    async def _walk(self, call: Call, targets: Targets, attempt: Handler[Attempt]) -> Reply:
        journal = call.journal
        failures: list[GatewayError] = []
        while True:
            position = len(failures)
            target, last = targets[position], position == len(targets) - 1
            journal.position, journal.target = position, target
            try:
                return await attempt(Attempt(call, target, last))
            except GatewayError as error:
                journal.tried.append(Tried(target, error.kind.code))
                failures.append(error)
                if last or not self._moves_on(error.kind):
                    break
                self._listener(FellBack(call.id, target.name, targets[position + 1].name, error.kind.code))
        chosen = _most_useful(failures)
        journal.position, journal.target = chosen, targets[chosen]
        try:
            raise failures[chosen]
        finally:
            failures.clear()  # breaks the reference cycle between a failure and this frame

    def _moves_on(self, kind: Kind) -> bool:
        if kind.trigger is not None:
            return kind.trigger in self._triggers
        return kind.again is not Again.NEVER


def _most_useful(failures: Sequence[GatewayError]) -> int:
    """Return the position of the failure that is most informative for the caller; of equals, the last."""
    return max(range(len(failures)), key=lambda position: (_informativeness(failures[position].kind), position))


def _informativeness(kind: Kind) -> int:
    """Rank a failure: 0 the target was not asked, 1 it was not reached, 2 it answered, or its time ran out."""
    if kind in _NOT_ASKED:
        return 0
    return 1 if kind in _NOT_REACHED else 2
