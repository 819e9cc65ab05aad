"""Run detectors over texts: all of their triggers in one pass, and then only those that may find something."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from app.core.redaction.finding import Detector, Finding, Patterns, merged
from app.core.redaction.normalization import fold

_ESCAPED: Final = r"\\u[0-9a-fA-F]{4}"  # JSON text in which characters are spelled by number hides what it holds
_NOTHING: Final[Sequence[Finding]] = ()


class Inspector:
    """
    A set of detectors; of two that find the same, the earlier one's name counts.

    Args:
        detectors: What is looked for.

        patterns: Compiles the triggers.

        allow: Values that are let through, upper or lower case; `*` stands for anything in them.
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
        """Say that every detector has a trigger, so that a text without any holds nothing."""
        return not self._always

    def is_clean(self, json_text: bytes) -> bool:
        """Say that no string in a JSON text can hold a find; False means that it must be looked at."""
        return not self._always and not self._of_json(json_text)

    def is_calm(self, text: str) -> bool:
        """Say that neither this text nor a part of it can hold a find; False means that it must be looked at."""
        return not self._always and not self._of_text(text)

    def find(self, text: str, also: Sequence[Finding] = _NOTHING) -> Sequence[Finding]:
        """Return what is in `text` by its start, none of which overlap; `also` is what others have found there."""
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
