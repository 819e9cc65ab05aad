"""Distributes signals to several listeners, and isolates calls and listeners from each other's errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from app.core.signals import Listener, Signal


@runtime_checkable
class Choosy(Protocol):
    """A listener of some types of signals only; the types must not change."""

    def __call__(self, signal: Signal, /) -> None:
        """Handle a signal."""
        ...

    def ears(self, kind: type[Signal]) -> Iterable[Listener]:
        """Return the functions to call for signals of this type in its place."""
        ...


class FanOut:
    """
    Passes every signal to the listeners of its type, in the order given.

    A listener that raises is counted; the type of its exception is reported once to the standard library's logging,
    without its message, which might quote a caller.
    """

    def __init__(self, listeners: Iterable[Listener | Choosy]) -> None:
        self._listeners = tuple(listeners)  # replaced as a whole: listeners may change while a signal is passed on
        self._ears: dict[type[Signal], tuple[Listener, ...]] = {}  # by type of signal, found once
        self._reported: set[tuple[str, str]] = set()
        self._errors = 0

    def add(self, *listeners: Listener | Choosy) -> None:
        """Add listeners, from the next signal on."""
        self._exchange((*self._listeners, *listeners))

    def remove(self, listener: Listener | Choosy) -> None:
        """Remove a listener."""
        self._exchange(tuple([other for other in self._listeners if other != listener]))

    @property
    def listeners(self) -> tuple[Listener | Choosy, ...]:
        """Return all listeners."""
        return self._listeners

    @property
    def errors(self) -> int:
        """Return how often a listener raised."""
        return self._errors

    def __call__(self, signal: Signal) -> None:
        """Call all listeners of the signal's type; never raises."""
        try:
            ears = self._ears[type(signal)]
        except KeyError:
            ears = self._find(type(signal))
        for ear in ears:
            try:
                ear(signal)
            except Exception as error:  # noqa: BLE001 - one of the three broad handlers: telemetry must not fail a call
                self._note(ear, error)

    def _exchange(self, listeners: tuple[Listener | Choosy, ...]) -> None:
        self._listeners, self._ears = listeners, {}

    def _find(self, kind: type[Signal]) -> tuple[Listener, ...]:
        found: list[Listener] = []
        for listener in self._listeners:
            found += listener.ears(kind) if isinstance(listener, Choosy) else (listener,)
        self._ears[kind] = tuple(found)
        return self._ears[kind]

    def _note(self, ear: Listener, error: Exception) -> None:
        self._errors += 1
        fault = (getattr(ear, "__qualname__", type(ear).__qualname__), type(error).__qualname__)
        if fault not in self._reported:
            self._reported.add(fault)
            logging.getLogger(__name__).error("The listener %s raised %s; further ones are only counted.", *fault)
