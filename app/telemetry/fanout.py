"""One listener that is many: each hears every signal, and none can harm the others or the call."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from app.core.signals import Listener, Signal


class FanOut:
    """
    Pass every signal to every listener, in the order given.

    A listener that raises is counted; the type of its exception is reported once to the standard library's logging,
    without its message, which might quote a caller.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = tuple(listeners)  # exchanged as a whole: a listener may come or go while others are told
        self._reported: set[tuple[str, str]] = set()
        self._errors = 0

    def add(self, *listeners: Listener) -> None:
        """Tell these, too, from the next signal on."""
        self._listeners += listeners

    def remove(self, listener: Listener) -> None:
        """Tell a listener no more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Return who is told."""
        return self._listeners

    @property
    def errors(self) -> int:
        """Return how often a listener raised."""
        return self._errors

    def __call__(self, signal: Signal) -> None:
        """Tell all listeners; never raises."""
        for listener in self._listeners:
            try:
                listener(signal)
            except Exception as error:  # noqa: BLE001 - one of the three broad handlers: telemetry must not fail a call
                self._note(listener, error)

    def _note(self, listener: Listener, error: Exception) -> None:
        self._errors += 1
        fault = (type(listener).__qualname__, type(error).__qualname__)
        if fault not in self._reported:
            self._reported.add(fault)
            logging.getLogger(__name__).error("The listener %s raised %s; further ones are only counted.", *fault)
