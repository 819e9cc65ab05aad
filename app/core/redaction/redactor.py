"""Redacts requests by the rules of their route."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from app.core.errors import CONTENT_BLOCKED, GatewayError
from app.core.redaction.body import Rule, rewritten
from app.core.redaction.editing import Edit, Given, InJson, Plain, plain_of
from app.core.redaction.finding import Finding
from app.core.redaction.inspector import Inspector
from app.core.redaction.placeholders import Vault, label_of, meanings_in

FINDS_MAX: Final = 10_000  # a request with more is not a prompt, and would delay all others
_HASH_CHARS: Final = 12
_SMALL_BYTES: Final = 131_072  # a larger body is mostly images, whose bytes need not be scanned

Found: TypeAlias = Mapping[str, Sequence[Finding]]  # findings of external detectors, by text
_NO_FINDINGS: Final[Found] = MappingProxyType({})


class Action(Enum):
    """What to do with a finding."""

    MASK = "mask"  # replace it by its label
    HASH = "hash"  # replace it by its label and a keyed hash, the same for the same value
    TOKENIZE = "tokenize"  # replace it by a placeholder, and restore it in the answer
    BLOCK = "block"  # refuse the request
    REPORT = "report"  # keep it, and count it


class Hit(msgspec.Struct, frozen=True):
    """The number of findings of one detector in one field, and what was done with them."""

    field: str
    detector: str
    action: Action
    count: int


class Redacted(msgspec.Struct, frozen=True):
    """
    A redacted body, its hits, and the values to restore.

    With `blocked`, a hit whose action is BLOCK, the body is unchanged, and must not be sent.
    """

    raw: bytes
    hits: tuple[Hit, ...] = ()
    vault: Vault = msgspec.field(default_factory=Vault)
    blocked: Hit | None = None


class Redactor:
    """
    The rules of one route.

    Args:
        inspector: Finds values.

        actions: By detector; REPORT for others.

        hash_key: Key of the HMACs in placeholders.
    """

    def __init__(self, inspector: Inspector, actions: Mapping[str, Action], hash_key: bytes) -> None:
        self.inspector = inspector
        self._actions = actions
        self._hash_key = hash_key

    def texts(self, raw: bytes, rule: Rule) -> list[str]:
        """Return the distinct texts of a body, for external detectors; single words are left out."""
        texts: dict[str, None] = {}

        def visit(_path: str, text: str, _json: bool) -> str:
            if not text.isidentifier():  # neither a member's name nor a single word
                texts[text] = None
            return text

        rewritten(raw, rule, visit)
        return list(texts)

    def redact(self, raw: bytes, rule: Rule, also: Found = _NO_FINDINGS, session: str | None = None) -> Redacted:
        """
        Return the body with all findings replaced; `session` is the session that the gateway stores it in.

        Raises:
            GatewayError: CONTENT_BLOCKED, if there are too many findings.
        """
        if not also and len(raw) <= _SMALL_BYTES and self.inspector.is_clean(raw):
            return Redacted(raw)
        survey = _Survey(self.inspector, also)
        rewritten(raw, rule, survey)
        if not survey.findings:
            return Redacted(raw)
        hits = tuple(self._hits(survey))
        blocked = next((hit for hit in hits if hit.action is Action.BLOCK), None)
        if blocked is not None:
            return Redacted(raw, hits, blocked=blocked)
        vault = Vault(survey.meanings) if session is None else Vault(name=partial(self._digits, session))
        return Redacted(rewritten(raw, rule, _Replacement(survey.findings, self, vault)), hits, vault)

    def redact_text(self, text: str, vault: Vault) -> str:
        """Return another text of the same request, redacted."""
        findings = self.inspector.find(text)
        return _Replacement({(text, False): findings}, self, vault)("", text, json=False) if findings else text

    def action_of(self, detector: str) -> Action:
        """Return the action for findings of a detector."""
        return self._actions.get(detector, Action.REPORT)

    def replacement(self, detector: str, value: str, vault: Vault) -> str | None:
        """Return the replacement of a value, None to keep it; raises CONTENT_BLOCKED if the action is BLOCK."""
        action = self.action_of(detector)
        if action is Action.REPORT:
            return None
        if action is Action.BLOCK:
            raise blocked_by(detector, None)
        if action is Action.TOKENIZE:
            return vault.put(detector, value)
        if action is Action.HASH:
            return f"[{label_of(detector)}:{self._digits('', detector, value)[:_HASH_CHARS]}]"
        return f"[{label_of(detector)}]"

    def _digits(self, session: str, detector: str, value: str) -> str:
        message = f"{detector}\n{value}" if not session else f"{session}\n{detector}\n{value}"
        return hmac.new(self._hash_key, message.encode(), hashlib.sha256).hexdigest()

    def _hits(self, survey: _Survey) -> list[Hit]:
        return [
            Hit(field, detector, self.action_of(detector), count) for (field, detector), count in survey.counts.items()
        ]


def blocked_by(detector: str, field: str | None) -> GatewayError:
    """Return the error for a finding whose action is BLOCK; it names the detector, and never the value."""
    where = "The answer" if field is None else f"The field {field!r}"
    message = f"{where} holds something that the detector {detector!r} finds, and that must not pass here."
    return GatewayError(CONTENT_BLOCKED, message, param=field)


class _Survey:
    """Visits all texts and records the findings."""

    def __init__(self, inspector: Inspector, also: Found) -> None:
        self._inspector = inspector
        self._also = also
        self._total = 0
        self.findings: dict[tuple[str, bool], Sequence[Finding]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.meanings: frozenset[str] = frozenset()

    def __call__(self, path: str, text: str, json: bool) -> str:
        plain = plain_of(text) if json else text
        findings = self._inspector.find(plain, self._also.get(text, ()))
        if "[" in plain:
            self.meanings |= meanings_in(plain)
        if findings:
            self.findings[text, json] = findings
            self._total += len(findings)
            for finding in findings:
                self.counts[path, finding.detector] += 1
        if self._total > FINDS_MAX:
            message = f"The request holds more than {FINDS_MAX} things that have to be redacted."
            raise GatewayError(CONTENT_BLOCKED, message, param=path)
        return text


class _Replacement:
    """Visits all texts and replaces the findings of the survey."""

    def __init__(
        self, findings: Mapping[tuple[str, bool], Sequence[Finding]], redactor: Redactor, vault: Vault
    ) -> None:
        self._findings = findings
        self._redactor = redactor
        self._vault = vault

    def __call__(self, _path: str, text: str, json: bool) -> str:
        findings = self._findings.get((text, json))
        if findings is None:
            return text
        edits = Given(self._edits(plain_of(text) if json else text, findings))
        return (InJson(edits) if json else Plain(edits)).feed(text)

    def _edits(self, text: str, findings: Sequence[Finding]) -> list[Edit]:
        edits: list[Edit] = []
        position = 0
        for finding in findings:
            replacement = self._redactor.replacement(finding.detector, text[finding.start : finding.end], self._vault)
            edits += [(finding.start - position, None), (finding.end - finding.start, replacement)]
            position = finding.end
        return [*edits, (len(text) - position, None)]
