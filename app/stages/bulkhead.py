"""Bound the concurrent attempts at one target or provider, so that a slow one cannot take the whole capacity."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from app.core.call import Attempt, Reply
from app.core.errors import OVERLOADED, GatewayError
from app.core.outcome import Outcome
from app.core.pipeline import Handler, settle
from app.core.traffic.memory import Slots

RETRY_AFTER_S = 1.0  # a slot is free as soon as any answer ends, at an unknown time


class Bulkhead:
    """
    Refuse an attempt at once if no slot is free; a slot is held until the last byte.

    Args:
        limits: Most attempts in flight, by provider name and by `provider/model`; names not in here are not bounded.

        slots: The slots in use, which outlive a configuration.
    """

    def __init__(self, limits: Mapping[str, int], slots: Slots) -> None:
        self._limits = limits
        self._slots = slots

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Run the attempt if there is room.

        Raises:
            GatewayError: OVERLOADED.
        """
        target = attempt.target
        names = [name for name in (target.provider, target.name) if name in self._limits]
        if not names:
            return proceed(attempt)
        taken = self._take(names, target.provider)

        def free(_outcome: Outcome) -> None:
            self._free(taken)

        return settle(attempt, proceed, free)

    def _take(self, names: list[str], provider: str) -> list[str]:
        """Take a slot under every name, or none at all."""
        taken: list[str] = []
        for name in names:
            if not self._slots.take(name, self._limits[name]):
                self._free(taken)
                message = f"{name!r} is at its limit of {self._limits[name]} calls at the same time."
                raise GatewayError(OVERLOADED, message, retry_after_s=RETRY_AFTER_S).at(provider)
            taken.append(name)
        return taken

    def _free(self, names: list[str]) -> None:
        for name in names:
            self._slots.give_back(name)
