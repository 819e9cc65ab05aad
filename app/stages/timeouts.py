"""
Bound how long a call may take: in total, and each attempt up to its first token or its whole answer.

These timeouts end at the commit point, when the stage returns. Beyond it, idle time and the deadline are enforced where
the stream is read (`app/providers/reading.py`); the connect timeout belongs to the HTTP client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from app.core.call import Attempt, Call, Reply
from app.core.errors import TIMEOUT_FIRST_TOKEN, TIMEOUT_RESPONSE, TIMEOUT_TOTAL, GatewayError
from app.core.model import PlainRequest
from app.core.pipeline import Handler
from app.core.time_limit import TimeLimit

_ADVICE: Final = "Retry or stream; where answers take so long, raise 'timeouts.total_s' or set 'timeouts.response_s'."


class TotalTimeout:
    """End the call at its deadline; retries, their pauses and fallbacks are all inside it."""

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
    End an attempt that is silent for too long.

    A whole answer has no first token: it comes all at once when it is ready. So it may take `response_s`; without that,
    all the time that is left, or half of it where another target could use the rest. An upload that is passed on while
    it arrives is not bounded here, as the time it takes to send is unknown.
    """

    def __init__(self, first_token_s: float, response_s: float | None = None) -> None:
        self._first_token_s = first_token_s
        self._response_s = response_s

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Run the attempt up to its first committing event, or its whole answer.

        Raises:
            GatewayError: TIMEOUT_FIRST_TOKEN or TIMEOUT_RESPONSE.
        """
        request = attempt.call.request
        if isinstance(request, PlainRequest) and request.upload is not None:
            return proceed(attempt)
        if request.stream:
            return self._bounded(attempt, proceed, self._first_token_s)
        if self._response_s is not None:
            return self._bounded(attempt, proceed, self._response_s)
        if attempt.last:
            return proceed(attempt)
        return self._bounded(attempt, proceed, (attempt.call.deadline - asyncio.get_running_loop().time()) / 2)

    async def _bounded(self, attempt: Attempt, proceed: Handler[Attempt], limit_s: float) -> Reply:
        limit = TimeLimit(within_s=limit_s)
        try:
            with limit:
                return await proceed(attempt)
        except TimeoutError as error:
            if not limit.expired:
                raise
            raise self._timed_out(attempt, limit_s) from error

    def _timed_out(self, attempt: Attempt, limit_s: float) -> GatewayError:
        provider = attempt.target.provider
        if attempt.call.request.stream:
            return GatewayError(TIMEOUT_FIRST_TOKEN, f"{provider} sent no token within {limit_s:g} s.").at(provider)
        if self._response_s is not None:
            return GatewayError(TIMEOUT_RESPONSE, f"{provider} gave no answer within {limit_s:g} s.").at(provider)
        message = f"{provider} did not answer within {limit_s:.3g} s, half of the time that was left for all targets."
        return GatewayError(TIMEOUT_RESPONSE, message, suggestion=_ADVICE).at(provider)
