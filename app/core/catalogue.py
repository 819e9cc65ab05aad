"""
What is known of models: how much they take, what they can do, what they cost.

Nothing here is needed to call a model: what is not known is not ruled out. What an operator configured wins over the
data that comes with the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.spending.prices import Price

_REMEMBERED: Final = 4096  # names come from clients, so what is remembered of them is bounded
_REGION = re.compile(r"(?:us|eu|apac|jp|au|global|us-gov)\.(?=\w)")  # of Bedrock's inference profiles


# Kinds that sell other makers' models at their prices.
_ALSO: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"azure": ("openai",), "vertex": ("gemini",)})


class ModelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What is known of one model; None and an empty text stand for what is not.

    `operation` is what it is for (`chat`, `embeddings`, ...), `capabilities` are some of tools, vision, json_schema,
    audio and reasoning. `context_window` is tokens of prompt and answer, `max_output` of the answer alone.
    """

    operation: str = "chat"
    context_window: int | None = None
    max_output: int | None = None
    capabilities: frozenset[str] | None = None
    price: Price | None = None
    deprecated: bool = False


class Entry(msgspec.Struct, frozen=True):
    """
    One model of one kind of provider.

    It is called by its `id` or one of its `names`, or by whatever begins as the regular expression `match` says.
    """

    id: str
    names: tuple[str, ...] = ()
    match: str | None = None
    context_window: int | None = None
    deprecated: bool = False
    price: Price | None = None


class Family(msgspec.Struct, frozen=True):
    """What models of one make have in common, whoever serves them."""

    match: str
    operation: str = "chat"
    capabilities: frozenset[str] | None = None
    context_window: int | None = None
    max_output: int | None = None


class Catalogue:
    """
    The data about models.

    Args:
        version: The day on which it was made.

        kinds: The models of each kind of provider, in the order in which they are matched.

        families: What models of one make have in common, in the order in which they are matched.
    """

    def __init__(self, version: str, kinds: Mapping[str, Sequence[Entry]], families: Sequence[Family]) -> None:
        self.version = version
        self._exact = {kind: _by_name(entries) for kind, entries in kinds.items()}
        self._matched = {kind: [entry for entry in entries if entry.match] for kind, entries in kinds.items()}
        self._kinds = kinds
        self._families = families
        self._known = lru_cache(_REMEMBERED)(self._look)

    def find(self, kind: str, model: str) -> ModelInfo | None:
        """Return what is known of `model` at a provider of this kind, or None."""
        return self._known(kind, model)

    def models(self, kind: str) -> Sequence[Entry]:
        """Return the models that are known of a kind."""
        return self._kinds.get(kind, ())

    def _look(self, kind: str, model: str) -> ModelInfo | None:
        entry, family = self._entry(kind, model), self._family(model)
        if entry is None and family is None:
            return None
        known = family or Family("")
        window = entry.context_window if entry is not None else None
        return ModelInfo(
            operation=known.operation,
            context_window=window or known.context_window,
            max_output=known.max_output,
            capabilities=known.capabilities,
            price=entry.price if entry is not None else None,
            deprecated=entry is not None and entry.deprecated,
        )

    def _entry(self, kind: str, model: str) -> Entry | None:
        for listed in (kind, *_ALSO.get(kind, ())):
            exact = self._exact.get(listed, {}).get(model.lower())
            found = exact or next((e for e in self._matched.get(listed, ()) if _matches(e.match or "", model)), None)
            if found is not None:
                return found
        return None

    def _family(self, model: str) -> Family | None:
        bare = model.rpartition("/")[2].lower()
        region = _REGION.match(bare)
        name = bare[region.end() :] if region is not None else bare
        return next((family for family in self._families if _matches(family.match, name)), None)


class Models:
    """
    What is known of the models of the configured providers.

    Args:
        catalogue: The data that came with the gateway, or a file of the operator.

        kinds: The kind of each provider, by its name.

        overrides: What the operator knows better, by `provider/model`; only fields that are set count.
    """

    def __init__(
        self, catalogue: Catalogue, kinds: Mapping[str, str], overrides: Mapping[str, Callable[[ModelInfo], ModelInfo]]
    ) -> None:
        self.catalogue = catalogue
        self._kinds = kinds
        self._overrides = overrides

    def find(self, provider: str, model: str) -> ModelInfo | None:
        """Return what is known of `model` at the provider of this name, or None."""
        found = self.catalogue.find(self._kinds.get(provider, provider), model)
        override = self._overrides.get(f"{provider}/{model}")
        return found if override is None else override(found or ModelInfo())


def _matches(pattern: str, name: str) -> bool:
    return _compiled(pattern).match(name) is not None


@cache  # the catalogue has a few hundred, and re remembers fewer
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _by_name(entries: Sequence[Entry]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        for name in (entry.id, *entry.names):
            found.setdefault(name.lower(), entry)
    return found


def no_models() -> Models:
    """Return the knowledge of nothing."""
    return Models(Catalogue("", {}, ()), {}, {})
