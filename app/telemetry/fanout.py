"""One listener that is many: each hears every signal, and none can harm the others or the call."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from app.core.signals import Listener, Signal


@runtime_checkable
class Choosy(Protocol):
    """A listener that does not hear every kind of signal; which ones must not change."""

    def __call__(self, signal: Signal, /) -> None:
        """Hear a signal."""
        ...

    def ears(self, kind: type[Signal]) -> Iterable[Listener]:
        """Return what is to be told of signals of this type in its stead."""
        ...


class FanOut:
    """
    Pass every signal to every listener that hears its type, in the order given.

    A listener that raises is counted; the type of its exception is reported once to the standard library's logging,
    without its message, which might quote a caller.
    """

    def __init__(self, listeners: Iterable[Listener | Choosy]) -> None:
        self._listeners = tuple(listeners)  # exchanged as a whole: a listener may come or go while others are told
        self._ears: dict[type[Signal], tuple[Listener, ...]] = {}  # found out once, not for each signal of each call
        self._reported: set[tuple[str, str]] = set()
        self._errors = 0

    def add(self, *listeners: Listener | Choosy) -> None:
        """Tell these, too, from the next signal on."""
        self._exchange((*self._listeners, *listeners))

    def remove(self, listener: Listener | Choosy) -> None:
        """Tell a listener no more."""
        self._exchange(tuple([other for other in self._listeners if other != listener]))

    @property
    def listeners(self) -> tuple[Listener | Choosy, ...]:
        """Return who is told."""
        return self._listeners

    @property
    def errors(self) -> int:
        """Return how often a listener raised."""
        return self._errors

    def __call__(self, signal: Signal) -> None:
        """Tell all listeners; never raises."""
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
