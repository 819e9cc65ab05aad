"""Check passthrough: its providers exist, and bypassing redaction or guards is allowed explicitly."""

from __future__ import annotations

from typing import Final

from app.config.checks.complaint import Complaint, Complaints, Names, unknown_provider
from app.config.schema import Settings

_SECTIONS: Final = ("passthrough", "files")


def passthrough(settings: Settings, names: Names) -> Complaints:
    """Find unknown providers, and passthrough that bypasses redaction or guards without `unguarded`."""
    looked_at = is_looked_at(settings)
    for section in _SECTIONS:
        configured = getattr(settings, section)
        for index, provider in enumerate(configured.providers):
            if provider not in names.providers:
                yield (section, "providers", index), unknown_provider(provider, provider, names)
        if configured.enabled and looked_at and not configured.unguarded:
            expected = "true, as redaction or guards are on, and what is passed on is looked at by neither"
            advice = f"set {section}.unguarded if that is meant, or {section}.enabled to false"
            yield (section, "unguarded"), Complaint("false", expected, advice)


def is_looked_at(settings: Settings) -> bool:
    """Return whether redaction or guards inspect the texts of calls."""
    redaction, guards = settings.redaction, settings.guards
    routes = redaction.routes.values()
    if redaction.enabled or redaction.output.enabled or any(route.enabled for route in routes):
        return True
    return any(_acts(each) for each in (guards, *guards.routes.values()))


def _acts(guards: object) -> bool:
    values = (value for _, value in guards)  # type: ignore[attr-defined]  # a section is iterable over its fields
    each = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return any(getattr(one, "policy", "none") != "none" for one in each)
