"""
Checks a streamed answer while it passes, for guards that need not wait for its end.

Some text is held back, so that no part of what guards look for is sent; once a guard finds it, the stream ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from app.core.redaction.editing import Edit


class Sharp(Protocol):
    """A guard that can check a part of an answer."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def hold_chars(self) -> int:
        """Return the greatest length of what it looks for."""

    def spots(self, text: str, total_chars: int) -> bool:
        """
        Return whether it is in `text`, the last part of a text that has `total_chars` so far.

        A space is added at the beginning and at the end of the whole text.
        """


class Watch:
    """
    An editor that changes nothing.

    Args:
        guards: Check the text.

        object_to: Called with the name of a guard that found something; raises the error that ends the stream.
    """

    def __init__(self, guards: Sequence[Sharp], object_to: Callable[[str], NoReturn]) -> None:
        self._guards = guards
        self._object_to = object_to
        self._hold = max([guard.hold_chars for guard in guards], default=0)
        self._text = " "
        self._held = 0
        self._total = 0

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece; see `Editor`."""
        self._text += text
        self._total += len(text)
        self._look(self._text)
        certain = max(0, self._held + len(text) - self._hold)
        self._held += len(text) - certain
        self._text = self._text[-2 * self._hold - 1 :]
        return [(certain, None)]

    def end(self) -> list[Edit]:
        """Keep the rest; see `Editor`."""
        self._look(f"{self._text} ")
        held, self._held = self._held, 0
        return [(held, None)]

    def _look(self, text: str) -> None:
        for guard in self._guards:
            if guard.spots(text, self._total):
                self._object_to(guard.name)
