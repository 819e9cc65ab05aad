"""
Detect prompt injection with an external classifier over HTTP.

It receives `{"guard": "injection", "passages": [{"source": "user", "text": "…"}, …]}`, the texts of users and tools,
and answers `{"scores": [0.1, …]}`, the confidence for each passage, 0 to 1. Any model server can be adapted to that.
"""

from __future__ import annotations

import msgspec

from app.core.errors import CHECK_UNAVAILABLE, GatewayError
from app.core.guards.checks import Quiet
from app.core.guards.guard import Ask, Complaint, Prompt
from app.inspection.hook import HttpHook


class _Passage(msgspec.Struct, frozen=True):
    source: str
    text: str


class _Question(msgspec.Struct, frozen=True):
    guard: str
    passages: list[_Passage]


class _Scores(msgspec.Struct, frozen=True):
    scores: list[float]


class Classifier(Quiet):
    """A guard of prompts; has the name of the heuristics that it complements."""

    name = "injection"

    def __init__(self, hook: HttpHook, threshold: float) -> None:
        self._hook = hook
        self._threshold = threshold

    async def check_prompt(self, prompt: Prompt, ask: Ask) -> Complaint | None:  # noqa: ARG002 - the protocol's
        """
        Return a complaint about the passage with the highest score, if that reaches the threshold.

        Raises:
            GatewayError: CHECK_UNAVAILABLE, if there is no answer and the policy is to refuse, or it is malformed.
        """
        passages = [each for each in prompt.passages if each.source in {"user", "tool"} and each.text]
        if not passages:
            return None
        question = _Question(self.name, [_Passage(each.source, each.text) for each in passages])
        answer = await self._hook.ask(msgspec.json.encode(question))
        if answer is None:
            return None
        scores = _read(answer, len(passages))
        score, number = max((score, -number) for number, score in enumerate(scores))
        if score < self._threshold:
            return None
        return Complaint("classified", passages[-number].path, round(min(score, 1.0), 3))


def _read(answer: bytes, count: int) -> list[float]:
    try:
        scores = msgspec.json.decode(answer, type=_Scores).scores
    except msgspec.DecodeError as error:
        raise GatewayError(CHECK_UNAVAILABLE, "The classifier's answer holds no scores.") from error
    if len(scores) != count:
        raise GatewayError(CHECK_UNAVAILABLE, "The classifier's answer has not one score for each passage.")
    return scores
