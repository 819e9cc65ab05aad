"""Which targets' circuits are not closed, known without asking anybody: a listener that remembers what changed."""

from __future__ import annotations

from app.core.call import Target
from app.core.signals import CircuitChanged, Listener, Signal


class Resting:
    """Remembers the targets that are left alone or being probed, so that nothing optional is sent to them."""

    def __init__(self) -> None:
        self._targets: set[str] = set()

    def __call__(self, signal: Signal) -> None:
        """Take note of a change."""
        if not isinstance(signal, CircuitChanged):
            return
        name = Target(signal.provider, signal.model).name
        if signal.now == "closed":
            self._targets.discard(name)
        else:
            self._targets.add(name)

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Hear of circuits only."""
        return (self,) if kind is CircuitChanged else ()

    def fit(self, target: Target) -> bool:
        """Say whether the circuit of `target` is closed, as far as is known here."""
        return target.name not in self._targets
