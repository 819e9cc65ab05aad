"""
The guards that other packages bring along.

A package offers one by an entry point of the group `wizard.guards`: a callable that takes `GuardTools` and returns a
`Guard` (`app/core/guards/guard.py`). Its code is imported only when the configuration names it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from app.core.guards.guard import GuardFactory

GROUP: Final = "wizard.guards"


class GuardError(Exception):
    """A guard cannot be used. `unknown` is true if nobody offers its name; else the text says what is wrong."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


def guard_names() -> tuple[str, ...]:
    """List the installed guards."""
    return tuple(sorted(entry_points(group=GROUP).names))


def require_guard(name: str) -> GuardFactory:
    """
    Return what makes the guard `name`, importing it.

    Raises:
        GuardError: There is none, or it cannot be imported.
    """
    offered = entry_points(group=GROUP, name=name)
    if not offered:
        raise GuardError("there is no guard of this name", unknown=True)
    entry: EntryPoint = next(iter(offered))
    try:
        factory = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        reason = f"its entry point {entry.value} cannot be imported ({type(error).__name__})"
        raise GuardError(reason) from error
    if not callable(factory):
        reason = f"its entry point {entry.value} is nothing that can be called"
        raise GuardError(reason)
    made: GuardFactory = factory
    return made
