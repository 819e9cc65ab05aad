"""Check redaction: its patterns, and the names that it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import get_args

from app.config.checks.complaint import Complaint, Complaints, Names, no_route
from app.config.features.redaction import Detector, Redaction
from app.config.problems import did_you_mean, shown, shown_key
from app.config.schema import Settings
from app.config.trees import Loc

_OWN: tuple[str, ...] = get_args(Detector)


def redaction(settings: Settings, names: Names) -> Complaints:
    """Find invalid patterns, duplicate names, and actions for detectors that do not exist."""
    configured = settings.redaction
    for loc, complaint in (*_patterns(configured), *_actions(configured), *_routes(configured, names)):
        yield ("redaction", *loc), complaint


def _patterns(configured: Redaction) -> Complaints:
    taken = set(_OWN)
    for index, pattern in enumerate(configured.patterns):
        if pattern.name in taken:
            expected = "a name that nothing else has"
            yield ("patterns", index, "name"), Complaint(repr(pattern.name), expected, "choose another name")
        taken.add(pattern.name)
        problem = _problem(pattern.pattern)
        if problem is not None:
            yield ("patterns", index, "pattern"), Complaint(shown((), pattern.pattern), *problem)


def _problem(pattern: str) -> tuple[str, str] | None:
    """Return what is expected and what to do, if a pattern cannot be used."""
    re2 = import_module("re2")  # 2 MB, not loaded without patterns
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        message = error.args[0] if error.args else ""
        reason = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
        advice = "RE2 has neither looks ahead or behind nor back references: https://github.com/google/re2/wiki/Syntax"
        return f"a regular expression that RE2 takes: {reason}", advice
    if compiled.search("") is not None:
        return "a regular expression that does not match the empty text", "let it ask for at least one character"
    return None


def _actions(configured: Redaction) -> Complaints:
    entities = configured.presidio.entities if configured.presidio.url else ()
    known = (*_OWN, *[pattern.name for pattern in configured.patterns], *[entity.lower() for entity in entities])
    places: list[tuple[Loc, Mapping[str, str]]] = [
        (("actions",), configured.actions),
        (("output", "actions"), configured.output.actions),
    ]
    for name, route in configured.routes.items():
        places.append((("routes", name, "actions"), route.actions or {}))
        places.append((("routes", name, "output", "actions"), route.output.actions if route.output else {}))
    for loc, actions in places:
        for detector in actions.keys() - set(known):
            suggestion = did_you_mean(detector, known) or "remove it, or add a pattern of this name"
            expected = f"something that is looked for ({', '.join(known)})"
            yield (*loc, detector), Complaint(shown_key(detector), expected, suggestion)


def _routes(configured: Redaction, names: Names) -> Complaints:
    for name in configured.routes:
        yield from no_route(("routes", name), name, names)
