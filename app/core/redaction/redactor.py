"""Take out of a request what must not leave, by the rules of its route."""

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

FINDS_MAX: Final = 10_000  # a request with more is no prompt, and would hold up all others
_HASH_CHARS: Final = 12
_SMALL_BYTES: Final = 131_072  # a larger body is mostly pictures, which need not be read

Found: TypeAlias = Mapping[str, Sequence[Finding]]  # what detectors outside have found in texts, by the text
_NOBODY_ELSE: Final[Found] = MappingProxyType({})


class Action(Enum):
    """What becomes of a find."""

    MASK = "mask"  # it becomes its label
    HASH = "hash"  # it becomes its label and a keyed hash, the same for the same value
    TOKENIZE = "tokenize"  # it becomes a placeholder, and comes back in the answer
    BLOCK = "block"  # the request is refused
    REPORT = "report"  # it stays, and is counted


class Hit(msgspec.Struct, frozen=True):
    """How many finds of one detector one field held, and what became of them."""

    field: str
    detector: str
    action: Action
    count: int


class Redacted(msgspec.Struct, frozen=True):
    """
    A body without what had to go, what was there, and what must come back.

    With `blocked`, a find that must not be there at all, the body is as it was, and must not go anywhere.
    """

    raw: bytes
    hits: tuple[Hit, ...] = ()
    vault: Vault = msgspec.field(default_factory=Vault)
    blocked: Hit | None = None


class Redactor:
    """
    The rules of one route.

    Args:
        inspector: Finds.

        actions: By detector; what is missing is reported.

        hash_key: Of the hashes.
    """

    def __init__(self, inspector: Inspector, actions: Mapping[str, Action], hash_key: bytes) -> None:
        self.inspector = inspector
        self._actions = actions
        self._hash_key = hash_key

    def texts(self, raw: bytes, rule: Rule) -> list[str]:
        """Return the texts of a body, each once, for detectors that are asked beforehand; single words are left out."""
        texts: dict[str, None] = {}

        def visit(_path: str, text: str, _json: bool) -> str:
            if not text.isidentifier():  # the name of a member, or a single word
                texts[text] = None
            return text

        rewritten(raw, rule, visit)
        return list(texts)

    def redact(self, raw: bytes, rule: Rule, also: Found = _NOBODY_ELSE, session: str | None = None) -> Redacted:
        """
        Return the body with every find replaced; `session` names the conversation that the gateway keeps it in.

        Raises:
            GatewayError: CONTENT_BLOCKED, if there are too many.
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
        """Return one more text of the same request without its finds."""
        findings = self.inspector.find(text)
        return _Replacement({(text, False): findings}, self, vault)("", text, json=False) if findings else text

    def action_of(self, detector: str) -> Action:
        """Return what becomes of finds of a detector."""
        return self._actions.get(detector, Action.REPORT)

    def replacement(self, detector: str, value: str, vault: Vault) -> str | None:
        """Return what stands in a text instead of a value; None if that stays."""
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
        what = f"{detector}\n{value}" if not session else f"{session}\n{detector}\n{value}"
        return hmac.new(self._hash_key, what.encode(), hashlib.sha256).hexdigest()

    def _hits(self, survey: _Survey) -> list[Hit]:
        return [
            Hit(field, detector, self.action_of(detector), count) for (field, detector), count in survey.counts.items()
        ]


def blocked_by(detector: str, field: str | None) -> GatewayError:
    """Return the refusal of a find that must not be there; it names what found it, and never what was found."""
    where = "The answer" if field is None else f"The field {field!r}"
    message = f"{where} holds something that the detector {detector!r} finds, and that must not pass here."
    return GatewayError(CONTENT_BLOCKED, message, param=field)


class _Survey:
    """Visits all texts and notes what is in them."""

    def __init__(self, inspector: Inspector, also: Found) -> None:
        self._inspector = inspector
        self._also = also
        self._total = 0
        self.findings: dict[tuple[str, bool], Sequence[Finding]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.meanings: frozenset[str] = frozenset()

    def __call__(self, path: str, text: str, json: bool) -> str:
        read = plain_of(text) if json else text
        findings = self._inspector.find(read, self._also.get(text, ()))
        if "[" in read:
            self.meanings |= meanings_in(read)
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
    """Visits all texts and replaces what the survey has found."""

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
