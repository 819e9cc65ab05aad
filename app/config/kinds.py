"""
The kinds of provider that can be named: those of the gateway, and those that other packages bring along.

A package offers one by an entry point of the group `wizard.providers`: a callable that takes a `Build` and returns a
`Codec` (docs/provider-kit.md). Its code is imported only when a provider is of that kind.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from app.config.presets import PRESETS

GROUP: Final = "wizard.providers"
OWN_KINDS: Final = ("sim", "local", *PRESETS)


class KindError(Exception):
    """A kind of provider cannot be used. `unknown` is true if nobody offers it; else the text says what is wrong."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


def kind_names() -> tuple[str, ...]:
    """List the kinds that a provider can have: the gateway's own first, then the installed ones."""
    return tuple(dict.fromkeys([*OWN_KINDS, *sorted(entry_points(group=GROUP).names)]))


def require_kind(name: str) -> None:
    """
    Make sure that a kind can be used, importing it if it belongs to another package.

    Raises:
        KindError: There is none, or it cannot be imported.
    """
    if name not in OWN_KINDS:
        imported(name)


def imported(name: str) -> Any:  # noqa: ANN401 - what another package offers; the registry knows its type
    """
    Return what another package offers under `name`.

    Raises:
        KindError: Nobody offers it, or it cannot be imported.
    """
    offered = entry_points(group=GROUP, name=name)
    if not offered:
        raise KindError("there is no provider of this kind", unknown=True)
    entry: EntryPoint = next(iter(offered))
    try:
        factory = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        reason = f"its entry point {entry.value} cannot be imported ({type(error).__name__})"
        raise KindError(reason) from error
    if not callable(factory):
        raise KindError(f"its entry point {entry.value} is nothing that can be called")
    return factory
