"""The redaction engine as the gateway puts it together."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.redaction.body import CHAT
from app.core.redaction.detectors import own_detectors
from app.core.redaction.finding import Detector
from app.core.redaction.inspector import Inspector
from app.core.redaction.redactor import Action, Redacted, Redactor
from app.inspection.custom_patterns import OwnPattern
from app.inspection.patterns import Re2Patterns
from app.inspection.phone import Phone

PATTERNS = Re2Patterns()
DETECTORS: dict[str, Detector] = {
    detector.name: detector for detector in (*own_detectors(PATTERNS), Phone(PATTERNS, ["US"]))
}
EVERYTHING = Inspector(tuple(DETECTORS.values()), PATTERNS)


def inspector(*names: str, own: str = "", allow: Sequence[str] = ()) -> Inspector:
    """Return an inspector with these detectors, and one for a pattern of one's own, called `own`."""
    chosen: list[Detector] = [OwnPattern("own", own, PATTERNS)] if own else []
    return Inspector([*chosen, *[DETECTORS[name] for name in names]], PATTERNS, allow)


def redactor(given: Inspector = EVERYTHING, /, *, default: Action = Action.TOKENIZE, **actions: Action) -> Redactor:
    """Return a redactor with these actions."""
    names = {*DETECTORS, "own"}
    return Redactor(given, {name: actions.get(name, default) for name in names}, b"a key")


def redacted(raw: bytes, given: Redactor | None = None) -> Redacted:
    """Redact the body of a chat request."""
    return (given or redactor()).redact(raw, CHAT)


def found(text: str, given: Inspector = EVERYTHING) -> list[tuple[str, str]]:
    """Return what is found in a text: detectors and values."""
    return [(finding.detector, text[finding.start : finding.end]) for finding in given.find(text)]
