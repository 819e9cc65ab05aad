"""Assemble the detectors of personal data and secrets: the gateway's own, and the operator's patterns."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module

from app.config.features.redaction import Redaction
from app.core.redaction.detectors import own_detectors
from app.core.redaction.finding import Detector, Patterns
from app.core.redaction.inspector import Inspector
from app.inspection.custom_patterns import OwnPattern


class DetectorKit:
    """Creates inspectors that share their detectors; creates nothing before the first inspector is needed."""

    def __init__(self, given: Redaction) -> None:
        self._given = given
        self._inspectors: dict[tuple[str, ...], Inspector] = {}
        self._detectors: dict[str, Detector] = {}

    @cached_property
    def patterns(self) -> Patterns:
        """Return the compiler of patterns; imported lazily, as RE2 takes 2 MB."""
        made: Patterns = import_module("app.inspection.patterns").Re2Patterns()
        return made

    def inspector(self, names: tuple[str, ...]) -> Inspector:
        """Return the inspector with these detectors and the operator's patterns."""
        known = self._inspectors.get(names)
        if known is None:
            self._detectors = self._detectors or self._all()
            own = {pattern.name for pattern in self._given.patterns}
            chosen = [each for name, each in self._detectors.items() if name in own or name in names]
            known = self._inspectors[names] = Inspector(chosen, self.patterns, self._given.allow)
        return known

    def _all(self) -> dict[str, Detector]:
        """Return all detectors by name; of two that find the same, the first one's name counts."""
        phone = import_module("app.inspection.phone")  # imported lazily: its tables take 20 ms
        own = [OwnPattern(pattern.name, pattern.pattern, self.patterns) for pattern in self._given.patterns]
        found = [*own, *own_detectors(self.patterns), phone.Phone(self.patterns, self._given.phone_regions)]
        return {detector.name: detector for detector in found}
