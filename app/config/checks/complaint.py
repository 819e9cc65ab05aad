"""The result of a check for one location, the names that checks look up, and helpers that several checks share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.config.plugins import PluginError, Plugins
from app.config.problems import did_you_mean, shown, shown_key
from app.config.schema import Settings
from app.config.trees import Loc

_LISTED: Final = 8
REDIS_URL: Final[Loc] = ("redis", "url")


@dataclass(frozen=True, slots=True)
class Names:
    """All configured names, including those whose entry is wrong and reported elsewhere."""

    providers: AbstractSet[str]
    routes: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class Complaint:
    """
    The current value, what is expected instead, and what to do.

    `because` is another setting that the complaint depends on; if that one is wrong, the complaint is dropped.
    """

    value: str
    expected: str
    suggestion: str
    because: Loc = ()


Complaints: TypeAlias = Iterator[tuple[Loc, Complaint]]
Check: TypeAlias = Callable[[Settings, Names], Complaints]


def unknown_provider(value: str, provider: str, names: Names) -> Complaint:
    """Return the complaint that `value` names a provider that is not configured."""
    suggestion = did_you_mean(provider, names.providers) or "add it under providers"
    return Complaint(shown((), value), f"a configured provider ({listed(names.providers)})", suggestion)


def no_route(loc: Loc, name: str, names: Names) -> Complaints:
    """Find a name that is neither a route nor `provider/model`."""
    provider, *model = re.split(r"[/:]", name, maxsplit=1)
    if name in names.routes:
        return
    if not model or not model[0]:
        suggestion = did_you_mean(name, names.routes) or "add the route under models"
        yield loc, Complaint(shown((), name), f"a route ({listed(names.routes)}), or provider/model", suggestion)
    elif provider not in names.providers:
        yield loc, unknown_provider(name, provider, names)


def repeated(values: Iterable[str]) -> Iterator[int]:
    """Yield the positions of values that occurred before."""
    seen: set[str] = set()
    for position, value in enumerate(values):
        if value in seen:
            yield position
        seen.add(value)


def unusable(loc: Loc, name: str, what: str, plugins: Plugins[object]) -> Complaints:
    """Find a plugin that is not installed, or broken; `what` is the kind of plugin, for the message."""
    if name in plugins.own:
        return
    try:
        plugins.load(name)
    except PluginError as error:
        if not error.unknown:
            yield loc, Complaint(repr(name), f"a {what} that works: {error}", "repair or reinstall its package")
            return
        known = plugins.names
        expected = f"one of {', '.join(known)}" if known else f"an installed {what}"
        either = "choose one of these, or " if known else ""
        install = f"{either}install the package that offers it (entry points of {plugins.group})"
        yield loc, Complaint(shown((), name), expected, did_you_mean(name, known) or install)


def listed(names: AbstractSet[str]) -> str:
    """Format the first of these names."""
    first = [shown_key(name) for name in sorted(names)[:_LISTED]]
    more = ", …" if len(names) > len(first) else ""
    return f"{', '.join(first)}{more}" or "none yet"
