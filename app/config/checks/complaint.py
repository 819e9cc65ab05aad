"""What a check says about one place, and the names by which it can look others up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.config.problems import did_you_mean, shown, shown_key
from app.config.schema import Settings
from app.config.trees import Loc

_LISTED: Final = 8
REDIS_URL: Final[Loc] = ("redis", "url")


@dataclass(frozen=True, slots=True)
class Names:
    """All names that are configured, also those whose own entry is wrong and is reported elsewhere."""

    providers: AbstractSet[str]
    routes: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class Complaint:
    """
    What stands there, what should stand there instead, and what to do.

    `because` is another setting without which there would be no complaint; if that one is wrong, nothing is known.
    """

    value: str
    expected: str
    suggestion: str
    because: Loc = ()


Check: TypeAlias = Callable[[Settings, Names], Iterator[tuple[Loc, Complaint]]]


def unknown_provider(value: str, provider: str, names: Names) -> Complaint:
    """Complain that `value` speaks of a provider that is not configured."""
    suggestion = did_you_mean(provider, names.providers) or "add it under providers"
    return Complaint(shown((), value), f"a configured provider ({listed(names.providers)})", suggestion)


def listed(names: AbstractSet[str]) -> str:
    """Show the first of these names."""
    first = [shown_key(name) for name in sorted(names)[:_LISTED]]
    more = ", …" if len(names) > len(first) else ""
    return f"{', '.join(first)}{more}" or "none yet"
