"""
Estimate the answer to a request that only counts tokens, where the provider has no endpoint for it.

An estimate is better than a refusal: before each turn, clients check whether the conversation still fits.
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

_NOT_THERE = (TARGET_MODEL_MISSING, UNSUPPORTED_FEATURE)  # what servers answer if they have no such endpoint


class CountTokens:
    """
    Estimate the count unless the provider counts.

    Args:
        counting: The names of the providers that can count.

        lacks: Returns whether a target's model is known to be missing, without asking the provider.
    """

    def __init__(self, counting: AbstractSet[str], lacks: Callable[[Target], bool]) -> None:
        self._counting = counting
        self._lacks = lacks

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Answer a request to count tokens, and pass all others on unchanged."""
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
                if error.kind not in _NOT_THERE or error.param == "model":  # the model is missing, not the endpoint
                    raise
        elif self._lacks(target):
            message = f"{target.provider!r} has no model {target.model!r}."
            raise GatewayError(TARGET_MODEL_MISSING, message).answered_by(target.provider)
        return Reply(Completion(msgspec.json.encode({"input_tokens": estimate}), Usage()))
