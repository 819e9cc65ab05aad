"""Convert LiteLLM's three kinds of fallbacks to one list per route."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from app.config.litellm.known import PROVIDERS
from app.config.litellm.mappings import Given, Notes

_ONE_LIST: Final = (
    "a route has one list of fallbacks, whatever the failure (fallback.triggers): these stand behind the general ones"
)


class Fallbacks:
    """The fallbacks of each model name, under LiteLLM's names."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._lists: dict[str, list[tuple[str, str]]] = {}
        self.on_content = False

    def take(self, section: Given) -> None:
        """Read all fallbacks of a section; those read earlier take precedence."""
        for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
            entries = section.several(name)
            for entry in entries:
                self._add(entry, f"{section.path}.{name}")
            if entries and name != "fallbacks":
                section.note(name, _ONE_LIST)
                self.on_content |= name.startswith("content")
        for fallback in section.several("default_fallbacks"):
            self._lists.setdefault("*", []).append((str(fallback), f"{section.path}.default_fallbacks"))

    def of(self, name: str, routes: Collection[str], providers: Collection[str]) -> Sequence[str]:
        """Return the fallbacks of a route, each once and without itself; those without a counterpart are noted."""
        targets: dict[str, None] = {}
        for fallback, path in [*self._lists.get(name, ()), *self._lists.get("*", ())]:
            counterpart = _counterpart(fallback, routes, providers)
            if counterpart is None:
                self._notes.add(path, f"{fallback}: leads to nothing that was carried over")
            elif counterpart != name:
                targets[counterpart] = None
        return list(targets)

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


def _counterpart(name: str, routes: Collection[str], providers: Collection[str]) -> str | None:
    """Return the counterpart of LiteLLM's name: a route, or a model of a provider; None if there is none."""
    if name in routes:
        return name
    prefix, slash, model = name.partition("/")
    kind = PROVIDERS[prefix].kind if prefix in PROVIDERS else prefix
    return f"{kind}/{model}" if slash and model and kind in providers else None
