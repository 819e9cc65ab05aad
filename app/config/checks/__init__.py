"""
Cross-field checks, a file per topic.

A feature adds a function of the type `Check` in a file of its own, and lists it in `_CHECKS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.config.checks.auth import callers, keys, ports, tokens
from app.config.checks.catalogue import catalogue
from app.config.checks.complaint import Check, Complaint, Names
from app.config.checks.guards import guards
from app.config.checks.limits import limits
from app.config.checks.missing import adaptive_limit, exporter, resuming, semantic_cache, stores, tokenizer
from app.config.checks.passthrough import passthrough
from app.config.checks.providers import health, tls, unusable_settings
from app.config.checks.redaction import redaction
from app.config.checks.routes import bounds, hedges, recoveries, references, strategies
from app.config.environment import Origins
from app.config.problems import dotted
from app.config.schema import Settings
from app.config.trees import Loc
from app.core.configuration import Problem

__all__ = ["Names", "cross_check"]

_CHECKS: Final[Sequence[Check]] = (
    *(unusable_settings, tls, health),
    *(references, strategies, hedges, recoveries, bounds),
    *(redaction, guards, passthrough),
    *(keys, callers, ports, tokens),
    *(limits, catalogue),
    *(adaptive_limit, resuming, stores, semantic_cache, tokenizer, exporter),
)


def cross_check(settings: Settings, names: Names, origins: Origins, known: Iterable[Loc]) -> dict[Loc, Problem]:
    """
    Return, by location, problems of settings that are valid alone but not together, such as broken references.

    Consequences of the wrong values at `known` are left out: `settings` have defaults in their place.
    """
    around = {loc[:depth] for loc in known for depth in range(len(loc) + 1)}
    complaints: dict[Loc, Complaint] = {}
    for check in _CHECKS:
        complaints |= dict(check(settings, names))
    return {
        loc: Problem(dotted(loc), complaint.value, complaint.expected, complaint.suggestion, origins.of(loc))
        for loc, complaint in complaints.items()
        if loc not in around and (not complaint.because or complaint.because not in around)
    }
