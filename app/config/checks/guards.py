"""Check guards: custom ones are installed, and policies have a model or terms to work with."""

from __future__ import annotations

from app.config.checks.complaint import Complaint, Complaints, Names, listed, no_route, unusable
from app.config.features.guards import GuardRoute, Guards, ModerationGuard, TermGuard
from app.config.plugins import GUARDS
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def guards(settings: Settings, names: Names) -> Complaints:
    """Find guards that are not installed, or would have no effect."""
    configured = settings.guards
    yield from _sections(("guards",), configured, names)
    for name, route in configured.routes.items():
        loc = ("guards", "routes", name)
        yield from no_route(loc, name, names)
        yield from _sections(loc, route, names)


def _sections(loc: Loc, configured: Guards | GuardRoute, names: Names) -> Complaints:
    yield from _terms((*loc, "terms"), configured.terms)
    yield from _moderation((*loc, "moderation"), configured.moderation, names)
    for index, custom in enumerate(configured.custom or ()):
        yield from unusable((*loc, "custom", index, "name"), custom.name, "guard", GUARDS)


def _terms(loc: Loc, configured: TermGuard | None) -> Complaints:
    if configured is not None and configured.policy != "none" and not configured.terms:
        yield (*loc, "terms"), Complaint("[]", "at least one word or phrase", "list what must not occur, or remove it")


def _moderation(loc: Loc, configured: ModerationGuard | None, names: Names) -> Complaints:
    if configured is None or configured.policy == "none":
        return
    if configured.model is None:
        expected = f"a route ({listed(names.routes)}), or provider/model"
        yield (*loc, "model"), Complaint(MISSING, expected, "name the moderation model")
    else:
        yield from no_route((*loc, "model"), configured.model, names)
