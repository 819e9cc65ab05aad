"""Aim the call at one target after another. The only place where a call becomes attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from app.core.call import Attempt, Call, Reply, Target, Tried
from app.core.errors import Again, GatewayError, Kind
from app.core.pipeline import Handler
from app.core.signals import FellBack, Listener


class Fallback:
    """
    Try a call's targets in order until one answers.

    Args:
        route: The targets of a call, at least one; raises `GatewayError` for a model that does not exist.

        attempt: The handler of one attempt.

        triggers: Names of the failures (`Kind.trigger`) that may move a call to the next target.

        listener: Told of each move.
    """

    def __init__(
        self,
        route: Callable[[Call], Sequence[Target]],
        attempt: Handler[Attempt],
        triggers: AbstractSet[str],
        listener: Listener,
    ) -> None:
        self._route = route
        self._attempt = attempt
        self._triggers = triggers
        self._listener = listener

    async def __call__(self, call: Call) -> Reply:
        """Return the first target's answer, or raise the last target's failure."""
        journal = call.journal
        targets = self._route(call)
        onward = len(targets) - 1
        for position in range(onward):
            target = targets[position]
            journal.position, journal.target = position, target
            try:
                return await self._attempt(Attempt(call, target, last=False))
            except GatewayError as error:
                journal.tried.append(Tried(target, error.kind.code))
                if not self._moves_on(error.kind):
                    raise
                self._listener(FellBack(call.id, target.name, targets[position + 1].name, error.kind.code))
        target = targets[onward]
        journal.position, journal.target = onward, target
        try:
            return await self._attempt(Attempt(call, target, last=True))
        except GatewayError as error:
            journal.tried.append(Tried(target, error.kind.code))
            raise

    def _moves_on(self, kind: Kind) -> bool:
        if kind.trigger is not None:
            return kind.trigger in self._triggers
        return kind.again is not Again.NEVER
