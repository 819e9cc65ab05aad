"""Counts the turns of conversations that the gateway keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import SessionTurnKept, SessionTurnLost
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class SessionCounts:
    """Turns that were added, those whose past was trimmed, and those that could not be added, by the reason."""

    def __init__(self) -> None:
        self._kept = 0
        self._trimmed = 0
        self._lost: dict[tuple[str], int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count turns."""
        return (counted(SessionTurnKept, self._turn_kept), counted(SessionTurnLost, self._turn_lost))

    def families(self) -> Iterator[Family]:
        """Yield the counts."""
        yield CounterFamily("wizard_session_turns", "Turns added to sessions.", (), [((), self._kept)])
        text = "Turns with which not all of the past was sent."
        yield CounterFamily("wizard_session_turns_trimmed", text, (), [((), self._trimmed)])
        text = "Answers that could not be added to their session."
        yield CounterFamily("wizard_session_turns_lost", text, ("reason",), list(self._lost.items()))

    def _turn_kept(self, signal: SessionTurnKept) -> None:
        self._kept += 1
        self._trimmed += signal.trimmed > 0

    def _turn_lost(self, signal: SessionTurnLost) -> None:
        self._lost[(signal.code,)] = self._lost.get((signal.code,), 0) + 1
