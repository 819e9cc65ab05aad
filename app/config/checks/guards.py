"""Guards: those that are installed, models that judge, and policies that have something to act on."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names, listed, unusable
from app.config.features.guards import GuardRoute, Guards, ModerationGuard, TermGuard
from app.config.plugins import GUARDS
from app.config.problems import MISSING, did_you_mean, shown_key
from app.config.schema import Settings
from app.config.trees import Loc


def guards(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find guards that are not installed, and guards that would do nothing."""
    given = settings.guards
    yield from _sections(("guards",), given, names)
    for name, route in given.routes.items():
        loc = ("guards", "routes", name)
        provider, _, model = name.partition("/")
        if name not in names.routes and not (model and provider in names.providers):
            suggestion = did_you_mean(name, names.routes) or "add the route under models"
            expected = f"a route ({listed(names.routes)}), or provider/model"
            yield loc, Complaint(shown_key(name), expected, suggestion)
        yield from _sections(loc, route, names)


def _sections(loc: Loc, given: Guards | GuardRoute, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    yield from _terms((*loc, "terms"), given.terms)
    yield from _moderation((*loc, "moderation"), given.moderation, names)
    for index, custom in enumerate(given.custom or ()):
        complaint = unusable(custom.name, "guard", GUARDS)
        if complaint is not None:
            yield (*loc, "custom", index, "name"), complaint


def _terms(loc: Loc, given: TermGuard | None) -> Iterator[tuple[Loc, Complaint]]:
    if given is not None and given.policy != "none" and not given.terms:
        yield (*loc, "terms"), Complaint("[]", "at least one word or phrase", "list what must not occur, or remove it")


def _moderation(loc: Loc, given: ModerationGuard | None, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    if given is None or given.policy == "none":
        return
    expected = f"a route ({listed(names.routes)}), or provider/model"
    if given.model is None:
        yield (*loc, "model"), Complaint(MISSING, expected, "name the moderation model")
        return
    provider, _, model = given.model.partition("/")
    if given.model not in names.routes and not (model and provider in names.providers):
        suggestion = did_you_mean(given.model, names.routes) or "add the route under models"
        yield (*loc, "model"), Complaint(shown_key(given.model), expected, suggestion)
