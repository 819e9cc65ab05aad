"""Presidio's analyzer (`POST /analyze`) as a detector: finds names and places, which patterns cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.errors import CHECK_UNAVAILABLE, GatewayError
from app.core.redaction.finding import Finding
from app.core.redaction.redactor import Found
from app.inspection.hook import HttpHook

_TEXTS_MAX: Final = 64  # concurrent requests per call; further texts wait


class _Result(msgspec.Struct, frozen=True):
    entity_type: str
    start: int
    end: int
    score: float = 1.0


class Presidio:
    """
    Sends each text of a call to the analyzer.

    Args:
        hook: Sends requests to `/analyze`.

        entities: The entity types to find; results of other types are ignored.

        language: Two-letter code of the texts' language.

        least_score: Results with a lower score are ignored.
    """

    def __init__(self, hook: HttpHook, entities: Sequence[str], language: str, least_score: float) -> None:
        self._hook = hook
        self._entities = tuple(entities)
        self._language = language
        self._least_score = least_score
        self._results = msgspec.json.Decoder(list[_Result])

    async def find(self, texts: Sequence[str]) -> Found:
        """
        Return the findings by text; none for texts without an answer, if the policy allows that.

        Raises:
            GatewayError: CHECK_UNAVAILABLE, if the policy is to refuse, or the answer is malformed.
        """
        analyzed = [text for text in texts if not text.isspace() and text]
        limit = asyncio.Semaphore(_TEXTS_MAX)

        async def one(text: str) -> list[Finding]:
            async with limit:
                return await self._one(text)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(text)) for text in analyzed]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return dict(zip(analyzed, [task.result() for task in tasks], strict=True))

    async def _one(self, text: str) -> list[Finding]:
        question = {
            "text": text,
            "language": self._language,
            "entities": self._entities,
            "score_threshold": self._least_score,
        }
        answer = await self._hook.ask(msgspec.json.encode(question))
        if answer is None:
            return []
        try:
            results = self._results.decode(answer)
        except msgspec.DecodeError as error:
            raise GatewayError(CHECK_UNAVAILABLE, "The analyzer's answer is no list of results.") from error
        return [
            Finding(result.start, result.end, result.entity_type.lower())
            for result in results
            if result.entity_type in self._entities
            and result.score >= self._least_score
            and 0 <= result.start < result.end <= len(text)
        ]
