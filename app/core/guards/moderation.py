"""Let a moderation model judge, asked through the gateway itself: redacted, limited and retried like any call."""

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
    Complains of what the model flags.

    Args:
        model: Route or `provider/model`.

        prompts, answers: Which sides are looked at.

        categories: What counts, by the model's own names; empty counts everything it flags.

        fail_open: Whether calls go on while the model does not answer.
    """

    name = "moderation"

    def __init__(self, model: str, categories: Sequence[str], *, prompts: bool, answers: bool, fail_open: bool) -> None:
        self._model = model
        self._prompts, self._answers = prompts, answers
        self._categories = frozenset(categories)
        self._fail_open = fail_open

    async def check_prompt(self, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Complain of what users and tools wrote; moderations themselves are not moderated."""
        if not self._prompts or prompt.operation is Operation.MODERATIONS:
            return None
        return await self._judge([each.text for each in prompt.passages if each.source in {"user", "tool"}], ask)

    async def check_answer(self, said: Said, prompt: Prompt, ask: Ask) -> Complaint | None:
        """Complain of what the model wrote."""
        return await self._judge(list(said.contents), ask) if self._answers else None

    async def _judge(self, texts: list[str], ask: Ask) -> Complaint | None:
        most = _TEXT_MAX_CHARS
        asked = [text[start : start + most] for text in texts for start in range(0, len(text), most)]
        if not asked:
            return None
        raw = msgspec.json.encode({"model": self._model, "input": asked})
        request = PlainRequest(Operation.MODERATIONS, self._model, raw, text=tuple(asked))
        try:
            results = msgspec.json.decode((await ask(request)).raw, type=_Results).results
        except (GatewayError, msgspec.DecodeError) as error:
            if self._fail_open:
                return None
            message = f"The moderation model {self._model!r}, which has to look at every call, gave no answer."
            raise GatewayError(CHECK_UNAVAILABLE, message) from error
        return Complaint("moderated") if any(map(self._counts, results)) else None

    def _counts(self, result: _Result) -> bool:
        named = {name for name, flagged in result.categories.items() if flagged}
        return bool(named & self._categories) if self._categories else result.flagged
