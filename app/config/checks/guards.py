"""Check guards: custom ones are installed, and policies have a model or terms to work with."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names, listed, no_route, unusable
from app.config.features.guards import GuardRoute, Guards, ModerationGuard, TermGuard
from app.config.plugins import GUARDS
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def guards(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find guards that are not installed, or would have no effect."""
    configured = settings.guards
    yield from _sections(("guards",), configured, names)
    for name, route in configured.routes.items():
        loc = ("guards", "routes", name)
        complaint = no_route(name, names)
        if complaint is not None:
            yield loc, complaint
        yield from _sections(loc, route, names)


def _sections(loc: Loc, configured: Guards | GuardRoute, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    yield from _terms((*loc, "terms"), configured.terms)
    yield from _moderation((*loc, "moderation"), configured.moderation, names)
    for index, custom in enumerate(configured.custom or ()):
        complaint = unusable(custom.name, "guard", GUARDS)
        if complaint is not None:
            yield (*loc, "custom", index, "name"), complaint


def _terms(loc: Loc, configured: TermGuard | None) -> Iterator[tuple[Loc, Complaint]]:
    if configured is not None and configured.policy != "none" and not configured.terms:
        yield (*loc, "terms"), Complaint("[]", "at least one word or phrase", "list what must not occur, or remove it")


def _moderation(loc: Loc, configured: ModerationGuard | None, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    if configured is None or configured.policy == "none":
        return
    if configured.model is None:
        expected = f"a route ({listed(names.routes)}), or provider/model"
        yield (*loc, "model"), Complaint(MISSING, expected, "name the moderation model")
    elif (complaint := no_route(configured.model, names)) is not None:
        yield (*loc, "model"), complaint
