"""Guards: those that are installed, models that judge, and policies that have something to act on."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names, listed, no_route, unusable
from app.config.features.guards import GuardRoute, Guards, ModerationGuard, TermGuard
from app.config.plugins import GUARDS
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def guards(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find guards that are not installed, and guards that would do nothing."""
    given = settings.guards
    yield from _sections(("guards",), given, names)
    for name, route in given.routes.items():
        loc = ("guards", "routes", name)
        complaint = no_route(name, names)
        if complaint is not None:
            yield loc, complaint
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
    if given.model is None:
        expected = f"a route ({listed(names.routes)}), or provider/model"
        yield (*loc, "model"), Complaint(MISSING, expected, "name the moderation model")
    elif (complaint := no_route(given.model, names)) is not None:
        yield (*loc, "model"), complaint
