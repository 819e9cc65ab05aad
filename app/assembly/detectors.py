"""What finds personal things and secrets: the gateway's own detectors, and an operator's patterns."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module

from app.config.features.redaction import Redaction
from app.core.redaction.detectors import own_detectors
from app.core.redaction.finding import Detector, Patterns
from app.core.redaction.inspector import Inspector
from app.inspection.custom_patterns import OwnPattern


class DetectorKit:
    """Makes inspectors out of detectors that they share; makes nothing before one is asked for."""

    def __init__(self, given: Redaction) -> None:
        self._given = given
        self._inspectors: dict[tuple[str, ...], Inspector] = {}
        self._detectors: dict[str, Detector] = {}

    @cached_property
    def patterns(self) -> Patterns:
        """Return what compiles patterns; RE2 takes 2 MB, which a gateway that looks for nothing need not hold."""
        made: Patterns = import_module("app.inspection.patterns").Re2Patterns()
        return made

    def inspector(self, names: tuple[str, ...]) -> Inspector:
        """Return what finds by these detectors, and by the operator's patterns."""
        known = self._inspectors.get(names)
        if known is None:
            self._detectors = self._detectors or self._all()
            own = {pattern.name for pattern in self._given.patterns}
            chosen = [each for name, each in self._detectors.items() if name in own or name in names]
            known = self._inspectors[names] = Inspector(chosen, self.patterns, self._given.allow)
        return known

    def _all(self) -> dict[str, Detector]:
        """Return every detector by its name; of two that find the same, the first one's name counts."""
        phone = import_module("app.inspection.phone")  # its tables take 20 ms, which most gateways need not spend
        own = [OwnPattern(pattern.name, pattern.pattern, self.patterns) for pattern in self._given.patterns]
        found = [*own, *own_detectors(self.patterns), phone.Phone(self.patterns, self._given.phone_regions)]
        return {detector.name: detector for detector in found}
