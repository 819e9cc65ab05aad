"""Runs detectors over texts: all of their triggers in one pass, then the detectors whose triggers match."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from app.core.redaction.finding import Detector, Finding, Patterns, merged
from app.core.redaction.normalization import fold

_ESCAPED: Final = r"\\u[0-9a-fA-F]{4}"  # numeric escapes in JSON hide characters from triggers
_NOTHING: Final[Sequence[Finding]] = ()


class Inspector:
    """
    A set of detectors; of those with the same finding, the first one names it.

    Args:
        detectors: In order of precedence.

        patterns: Compiles the triggers.

        allow: Values that are not reported, regardless of case; `*` stands for any characters.
    """

    def __init__(self, detectors: Sequence[Detector], patterns: Patterns, allow: Sequence[str] = ()) -> None:
        self._always = tuple([detector for detector in detectors if detector.trigger is None])
        triggered = [(detector, detector.trigger) for detector in detectors if detector.trigger is not None]
        self._triggered = tuple([detector for detector, _ in triggered])
        self._of_text = patterns.scanner([trigger for _, trigger in triggered]) if triggered else lambda _text: ()
        self._of_json = patterns.scanner([_ESCAPED, *[trigger for _, trigger in triggered]])
        self._ranks = {detector.name: rank for rank, detector in enumerate(detectors)}
        self._allowed = frozenset(value.casefold() for value in allow if "*" not in value)
        self._allowed_shapes = tuple([value.casefold() for value in allow if "*" in value])

    @property
    def has_triggers_only(self) -> bool:
        """Return whether every detector has a trigger, so that a text without triggers has no findings."""
        return not self._always

    def is_clean(self, json_text: bytes) -> bool:
        """Return whether no string in a JSON text can have a finding; if False, it has to be inspected."""
        return not self._always and not self._of_json(json_text)

    def is_calm(self, text: str) -> bool:
        """Return whether neither this text nor a part of it can have a finding; if False, it has to be inspected."""
        return not self._always and not self._of_text(text)

    def find(self, text: str, also: Sequence[Finding] = _NOTHING) -> Sequence[Finding]:
        """Return the findings in `text`, sorted by start and without overlaps, merged with `also`, those of others."""
        numbers = self._of_text(text)
        if not numbers and not self._always and not also:
            return _NOTHING
        folded = fold(text)
        findings = [
            Finding(start, end, detector.name)
            for detector in (*self._always, *[self._triggered[number] for number in numbers])
            for start, end in detector.find(folded)
            if start < end and not self._is_allowed(text[start:end])
        ]
        findings += [finding for finding in also if not self._is_allowed(text[finding.start : finding.end])]
        return merged(findings, lambda name: self._ranks.get(name, len(self._ranks)))

    def _is_allowed(self, value: str) -> bool:
        if not self._allowed and not self._allowed_shapes:
            return False
        folded = value.casefold().strip()
        return folded in self._allowed or any(fnmatchcase(folded, shape) for shape in self._allowed_shapes)
