"""LiteLLM's three kinds of fallbacks, which are one list for each route here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from app.config.litellm.known import PROVIDERS
from app.config.litellm.mappings import Given, Notes

_ONE_LIST: Final = (
    "a route has one list of fallbacks, whatever the failure (fallback.triggers): these stand behind the general ones"
)


class Fallbacks:
    """Where calls of each model name go that fail; names are still LiteLLM's."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._lists: dict[str, list[tuple[str, str]]] = {}
        self.on_content = False

    def take(self, given: Given) -> None:
        """Take all that a section says about fallbacks; what was taken before counts before."""
        for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
            found = given.several(name)
            for entry in found:
                self._add(entry, f"{given.path}.{name}")
            if found and name != "fallbacks":
                given.note(name, _ONE_LIST)
                self.on_content |= name.startswith("content")
        for fallback in given.several("default_fallbacks"):
            self._lists.setdefault("*", []).append((str(fallback), f"{given.path}.default_fallbacks"))

    def of(self, name: str, routes: Collection[str], providers: Collection[str]) -> Sequence[str]:
        """Return the fallbacks of a route, each once and never itself; those that lead nowhere are noted."""
        found: dict[str, None] = {}
        for fallback, path in [*self._lists.get(name, ()), *self._lists.get("*", ())]:
            here = _here(fallback, routes, providers)
            if here is None:
                self._notes.add(path, f"{fallback}: leads to nothing that was carried over")
            elif here != name:
                found[here] = None
        return list(found)

    def _add(self, entry: object, path: str) -> None:
        if not isinstance(entry, Mapping):
            self._notes.add(path, "it should be a mapping of a model name to a list, and is none")
            return
        for name, others in entry.items():
            for other in _listed(others):
                if isinstance(other, str):
                    self._lists.setdefault(str(name), []).append((other, path))
                else:
                    self._notes.add(path, "a fallback is a model name; it cannot change the request")


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [value]


def _here(name: str, routes: Collection[str], providers: Collection[str]) -> str | None:
    """Return what a name of LiteLLM's is called here: a route, or a model of a provider."""
    if name in routes:
        return name
    prefix, slash, model = name.partition("/")
    kind = PROVIDERS[prefix].kind if prefix in PROVIDERS else prefix
    return f"{kind}/{model}" if slash and model and kind in providers else None
