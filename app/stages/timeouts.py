"""
Bound how long a call may take: in total, and up to the first token of each attempt.

Both end at the commit point, when the stage returns. Beyond it, silence and the deadline are watched where the
stream is read (`app/providers/reading.py`), and the time to connect belongs to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from app.core.call import Attempt, Call, Reply
from app.core.errors import TIMEOUT_FIRST_TOKEN, TIMEOUT_TOTAL, GatewayError
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


class AttemptTimeout:
    """
    Give up a streamed attempt that says nothing for too long.

    A whole answer has no first token to wait for: it comes all at once when it is ready, so only the total time
    bounds it. Neither is it known when a body that is handed on while it arrives will have been sent.
    """

    def __init__(self, first_token_s: float) -> None:
        self._first_token_s = first_token_s

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Run the attempt up to its first committing event.

        Raises:
            GatewayError: TIMEOUT_FIRST_TOKEN.
        """
        request = attempt.call.request
        if not request.stream or (isinstance(request, PlainRequest) and request.upload is not None):
            return proceed(attempt)
        return self._first_token(attempt, proceed)

    async def _first_token(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        limit = TimeLimit(asyncio.get_running_loop().time() + self._first_token_s)
        try:
            with limit:
                return await proceed(attempt)
        except TimeoutError as error:
            if not limit.expired:
                raise
            message = f"{attempt.target.provider} sent no token within {self._first_token_s:g} s."
            raise GatewayError(TIMEOUT_FIRST_TOKEN, message).at(attempt.target.provider) from error
