"""
Bound how long a call may take: in total, and each attempt up to its first token or its whole answer.

All end at the commit point, when the stage returns. Beyond it, silence and the deadline are watched where the
stream is read (`app/providers/reading.py`), and the time to connect belongs to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec

from app.core.call import Attempt, Call, Reply
from app.core.errors import TIMEOUT_FIRST_TOKEN, TIMEOUT_RESPONSE, TIMEOUT_TOTAL, GatewayError, Kind
from app.core.model import PlainRequest
from app.core.pipeline import Handler
from app.core.time_limit import TimeLimit


class TotalTimeout:
    """Refuse to go on past the call's deadline; retries, their pauses and fallbacks are all inside it."""

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Run the call under its deadline.

        Raises:
            GatewayError: TIMEOUT_TOTAL.
        """
        limit = TimeLimit(call.deadline)
        try:
            with limit:
                return await proceed(call)
        except TimeoutError as error:
            if not limit.expired:
                raise
            allowed_s = call.deadline - call.started
            raise GatewayError(TIMEOUT_TOTAL, f"No complete answer within {allowed_s:g} s.") from error


class _Bound(msgspec.Struct, frozen=True):
    """How long an attempt may take, which failure it is that takes longer, and what the provider has not done then."""

    limit_s: float
    kind: Kind
    missed: str


class AttemptTimeout:
    """
    Give up an attempt whose provider says nothing for too long.

    A stream has to begin within `first_token_s`. A whole answer has no first token: it comes all at once when it is
    ready, so it has `response_s` if that is given, and else the total time. How long a body takes that is handed on
    while it arrives nobody knows.
    """

    def __init__(self, first_token_s: float, response_s: float | None = None) -> None:
        self._streamed = _Bound(first_token_s, TIMEOUT_FIRST_TOKEN, "sent no token")
        self._whole = None if response_s is None else _Bound(response_s, TIMEOUT_RESPONSE, "gave no answer")

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Run the attempt up to its first committing event, or to the end of its answer.

        Raises:
            GatewayError: TIMEOUT_FIRST_TOKEN or TIMEOUT_RESPONSE.
        """
        request = attempt.call.request
        bound = self._streamed if request.stream else self._whole
        if bound is None or (isinstance(request, PlainRequest) and request.upload is not None):
            return proceed(attempt)
        return _bounded(attempt, proceed, bound)


async def _bounded(attempt: Attempt, proceed: Handler[Attempt], bound: _Bound) -> Reply:
    limit = TimeLimit(asyncio.get_running_loop().time() + bound.limit_s)
    try:
        with limit:
            return await proceed(attempt)
    except TimeoutError as error:
        if not limit.expired:
            raise
        message = f"{attempt.target.provider} {bound.missed} within {bound.limit_s:g} s."
        raise GatewayError(bound.kind, message).at(attempt.target.provider) from error
