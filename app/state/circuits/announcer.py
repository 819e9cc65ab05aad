"""Reports each change of a circuit's state to the listeners, once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.circuits import CircuitState
from app.core.signals import ELSEWHERE, CircuitChanged, Listener
from app.state.circuits.circuit import Reading

_CLOSED, _HALF_OPEN, _OPEN = CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN
# The default reason of each transition.
_REASONS: Mapping[tuple[CircuitState, CircuitState], str] = MappingProxyType(
    {
        (_CLOSED, _OPEN): "failures",
        (_OPEN, _HALF_OPEN): "probing",
        (_HALF_OPEN, _OPEN): "probe_failed",
        (_HALF_OPEN, _CLOSED): "recovered",
    }
)
FORCED: Final = "forced"
FORGOTTEN: Final = "forgotten"


class Announcer:
    """Remembers the circuits that were last reported as not closed."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._told: dict[str, CircuitState] = {}

    def told(self) -> list[str]:
        """Return the targets whose circuits were last reported as not closed."""
        return list(self._told)

    def changed(self, target: str, reading: Reading, cause: str | None = None, request_id: str = "") -> None:
        """
        Report the state of a target's circuit if it has changed.

        `cause` replaces the default reason; `request_id` names the call that caused the change.
        """
        now = reading.state
        before = self._told.get(target, _CLOSED)
        if now is before:
            return
        if now is _CLOSED:
            del self._told[target]
        else:
            self._told[target] = now
        signal = _signal(target, before, reading, cause or _REASONS.get((before, now), ELSEWHERE))
        self._listener(msgspec.structs.replace(signal, request_id=request_id) if request_id else signal)


def _signal(target: str, before: CircuitState, reading: Reading, reason: str) -> CircuitChanged:
    provider, _, model = target.partition("/")
    return CircuitChanged(
        provider=provider,
        model=model,
        before=before.value,
        now=reading.state.value,
        reason=reason,
        failures=reading.failures,
        calls=reading.calls,
        open_s=reading.wait_ms / 1000 if reading.state is _OPEN and not reading.forced else None,
    )
