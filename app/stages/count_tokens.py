"""
Answer requests that only count tokens, where the provider itself does not count any.

An estimate is better than a refusal: clients ask before each turn whether the conversation still fits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

import msgspec

from app.core.call import Attempt, Reply, Target
from app.core.errors import TARGET_MODEL_MISSING, UNSUPPORTED_FEATURE, GatewayError
from app.core.model import Completion, Operation, PlainRequest
from app.core.pipeline import Handler
from app.core.usage import Usage

_NOT_THERE = (TARGET_MODEL_MISSING, UNSUPPORTED_FEATURE)  # how servers say that they have no such address


class CountTokens:
    """
    Count by an estimate unless the provider does.

    Args:
        counting: The names of the providers that can be asked.

        lacks: Says whether a target's model is not there, as far as that is known without asking.
    """

    def __init__(self, counting: AbstractSet[str], lacks: Callable[[Target], bool]) -> None:
        self._counting = counting
        self._lacks = lacks

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Pass everything else on unchanged."""
        request = attempt.call.request
        if not isinstance(request, PlainRequest) or request.operation is not Operation.COUNT_TOKENS:
            return proceed(attempt)
        return self._count(attempt, proceed, request.tokens)

    async def _count(self, attempt: Attempt, proceed: Handler[Attempt], estimate: int) -> Reply:
        target = attempt.target
        if target.provider in self._counting:
            try:
                return await proceed(attempt)
            except GatewayError as error:
                if error.kind not in _NOT_THERE or error.param == "model":  # which is what is not there, then
                    raise
        elif self._lacks(target):
            message = f"{target.provider!r} has no model {target.model!r}."
            raise GatewayError(TARGET_MODEL_MISSING, message).answered_by(target.provider)
        return Reply(Completion(msgspec.json.encode({"input_tokens": estimate}), Usage()))
