"""
Scores texts for signs of prompt injection. Signs are not proof: `docs/guards.md` has the measured rates.

Texts of users and results of tools are scored by different signs, because instructions to the model are usual in the
former only. The weights of signs are combined as independent probabilities.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.core.guards.checks import Quiet
from app.core.guards.guard import Ask, Complaint, Passage, Prompt
from app.core.guards.injection_patterns import COMMON, IN_TOOL_RESULTS, Sign
from app.core.redaction.finding import Patterns, Scanner
from app.core.redaction.normalization import fold

# Invisible characters, which hide words from patterns: zero-width characters, soft hyphens, directional marks.
_HIDDEN: Final = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_TAGS: Final = re.compile(r"[\U000e0020-\U000e007e]{4,}")  # Unicode tags: an invisible copy of ASCII
_TAG_OFFSET: Final = 0xE0000
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/]{32,4096}={0,2}")
_ENCODED_MAX: Final = 16  # pieces decoded of one text
_HIDDEN_WEIGHT, _ENCODED_WEIGHT = 0.6, 0.3
_HIDDEN_LEAST: Final = 8


class Injection(Quiet):
    """
    Complains of prompts with signs of injection.

    Args:
        patterns: Compiles the signs.

        threshold: Least score of a user's text to complain of.

        tool_threshold: The same for a tool's result.
    """

    name = "injection"

    def __init__(self, patterns: Patterns, threshold: float, tool_threshold: float) -> None:
        self._of_users = _Scorer(COMMON, patterns)
        self._of_tools = _Scorer((*COMMON, *IN_TOOL_RESULTS), patterns)
        self._threshold = threshold
        self._tool_threshold = tool_threshold

    async def check_prompt(self, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Complain of the text of a user or a tool with the highest score."""
        worst: Complaint | None = None
        for passage in prompt.passages:
            score, least = self.score(passage)
            if score >= least and (worst is None or score > worst.score):
                worst = Complaint(f"{passage.source}_text", passage.path, round(score, 3))
        return worst

    def score(self, passage: Passage) -> tuple[float, float]:
        """Return the score of a text and its threshold; 0 for texts of the operator or the model."""
        if passage.source == "user":
            return self._of_users(passage.text), self._threshold
        if passage.source == "tool":
            return self._of_tools(passage.text), self._tool_threshold
        return 0.0, 1.0


class _Scorer:
    def __init__(self, signs: Sequence[Sign], patterns: Patterns) -> None:
        self._weights = tuple([sign.weight for sign in signs])
        self._scan: Scanner = patterns.scanner([sign.pattern for sign in signs])

    def __call__(self, text: str) -> float:
        clean = 1.0 - self._score(text)
        if not text.isascii():
            hidden = len(_HIDDEN.findall(text))
            clean *= 1.0 - (_HIDDEN_WEIGHT if hidden >= _HIDDEN_LEAST else 0.0)
            clean = min(clean, 1.0 - self._score(_HIDDEN.sub("", fold(text))))
        for decoded in _decoded(text):
            score = self._score(decoded)
            clean *= 1.0 - min(1.0, score + _ENCODED_WEIGHT if score else 0.0)
        return 1.0 - clean

    def _score(self, text: str) -> float:
        clean = 1.0
        for number in self._scan(text):
            clean *= 1.0 - self._weights[number]
        return 1.0 - clean


def _decoded(text: str) -> Iterator[str]:
    """Yield decoded texts that are hidden in a text: as Unicode tags, or in base64."""
    if not text.isascii():
        for hidden in _TAGS.findall(text):
            yield "".join(chr(ord(char) - _TAG_OFFSET) for char in hidden)
    for number, piece in enumerate(_ENCODED.finditer(text)):
        if number >= _ENCODED_MAX:
            return
        stem = piece[0].rstrip("=")
        try:
            decoded = base64.b64decode(stem[: len(stem) // 4 * 4], validate=True).decode()
        except UnicodeDecodeError:
            continue
        if decoded.isprintable():
            yield decoded
