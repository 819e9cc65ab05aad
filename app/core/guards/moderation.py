"""A guard that calls a moderation model through the gateway itself: redacted, limited and retried like any call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.errors import CHECK_UNAVAILABLE, GatewayError
from app.core.guards.guard import Ask, Complaint, Prompt, Said
from app.core.model import Operation, PlainRequest

_TEXT_MAX_CHARS: Final = 20_000  # of one input; a longer text is several


class _Result(msgspec.Struct, frozen=True):
    flagged: bool = False
    categories: dict[str, bool | None] = {}


class _Results(msgspec.Struct, frozen=True):
    results: list[_Result]


class Moderation:
    """
    Complains of texts that the model flags.

    Args:
        model: Route or `provider/model`.

        prompts, answers: Which sides of a call are checked.

        categories: Those to complain of, by the model's names; empty: everything that it flags.

        fail_open: Whether calls proceed if the model gives no answer.
    """

    name = "moderation"

    def __init__(self, model: str, categories: Sequence[str], *, prompts: bool, answers: bool, fail_open: bool) -> None:
        self._model = model
        self._prompts, self._answers = prompts, answers
        self._categories = frozenset(categories)
        self._fail_open = fail_open

    async def check_prompt(self, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Complain of texts of users and tools; moderation requests themselves are not checked."""
        if not self._prompts or prompt.operation is Operation.MODERATIONS:
            return None
        return await self._judge([each.text for each in prompt.passages if each.source in {"user", "tool"}], ask)

    async def check_answer(self, said: Said, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Complain of content that the model wrote."""
        return await self._judge(list(said.contents), ask) if self._answers else None

    async def _judge(self, texts: list[str], ask: Ask) -> Complaint | None:
        max_chars = _TEXT_MAX_CHARS
        inputs = [text[start : start + max_chars] for text in texts for start in range(0, len(text), max_chars)]
        if not inputs:
            return None
        raw = msgspec.json.encode({"model": self._model, "input": inputs})
        request = PlainRequest(Operation.MODERATIONS, self._model, raw, text=tuple(inputs))
        try:
            results = msgspec.json.decode((await ask(request)).raw, type=_Results).results
        except (GatewayError, msgspec.DecodeError) as error:
            if self._fail_open:
                return None
            message = f"The moderation model {self._model!r}, which has to look at every call, gave no answer."
            raise GatewayError(CHECK_UNAVAILABLE, message) from error
        return Complaint("moderated") if any(map(self._counts, results)) else None

    def _counts(self, result: _Result) -> bool:
        categories = {name for name, flagged in result.categories.items() if flagged}
        return bool(categories & self._categories) if self._categories else result.flagged
