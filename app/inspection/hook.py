"""
Query an external inspection service: one JSON document each way, with a time limit.

A circuit breaker protects a service that keeps failing. If there is no answer, `fail_open` decides whether the call
goes on or is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

import msgspec

from app.core.call import Target
from app.core.circuits import CircuitPolicy, Verdict
from app.core.errors import BAD_UPSTREAM_REPLY, CHECK_UNAVAILABLE, TARGET_FAILED, TARGET_TIMEOUT, GatewayError
from app.core.ports import Circuits, HttpRequest, UpstreamClient, UpstreamReply
from app.core.time_limit import TimeLimit

_OK: Final = 200
_ANSWER_MAX_BYTES: Final = 4_194_304
_PROVIDER: Final = "hook"  # the provider name of hooks in circuit targets
_POLICY: Final = CircuitPolicy(
    failure_threshold=5, window_s=30.0, failure_ratio=0.5, open_s=5.0, open_max_s=60.0, half_open_max_calls=1
)


class HookOptions(msgspec.Struct, frozen=True):
    """
    Address and time limit of a service.

    `name` names its circuit, `hook/name`. Without an answer a call goes on if `fail_open`, else it is refused.
    `headers` are sent with each request; names in lower case.
    """

    name: str
    url: str
    timeout_s: float
    fail_open: bool
    headers: tuple[tuple[str, str], ...] = ()


class HttpHook:
    """Queries one service. Safe for concurrent calls."""

    def __init__(self, options: HookOptions, client: UpstreamClient, circuits: Circuits) -> None:
        self._options = options
        self._client = client
        self._circuits = circuits
        self._target = Target(_PROVIDER, options.name)

    async def ask(self, body: bytes) -> bytes | None:
        """
        Return the service's answer to a JSON document; None if there is no answer and `fail_open` is set.

        Raises:
            GatewayError: CHECK_UNAVAILABLE, if there is no answer and `fail_open` is not set.
        """
        try:
            return await self._guarded(body)
        except GatewayError as error:
            if self._options.fail_open:
                return None
            message = f"The service {self._options.name!r}, which has to look at every call, gave no answer."
            raise GatewayError(CHECK_UNAVAILABLE, message, retry_after_s=error.retry_after_s) from error

    async def _guarded(self, body: bytes) -> bytes:
        ticket = await self._circuits.admit(self._target, _POLICY)
        verdict = Verdict.FAILED
        try:
            answer = await self._exchange(body)
            verdict = Verdict.OK
        except asyncio.CancelledError:
            verdict = Verdict.IGNORED
            raise
        finally:
            self._circuits.report(ticket, verdict, 0.0)
        return answer

    async def _exchange(self, body: bytes) -> bytes:
        options = self._options
        headers = (("content-type", "application/json"), ("accept-encoding", "identity"), *options.headers)
        request = HttpRequest("POST", options.url, headers, body, options.timeout_s)
        try:
            with TimeLimit(within_s=options.timeout_s):
                reply = await self._client.send(request)
                async with aclosing(reply):
                    answer = await _whole(reply)
        except TimeoutError as error:
            raise GatewayError(TARGET_TIMEOUT, f"No answer within {options.timeout_s:g} s.") from error
        if reply.status != _OK:
            raise GatewayError(TARGET_FAILED, f"The answer has the status {reply.status}.")
        return answer


async def _whole(reply: UpstreamReply) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for data in reply.chunks():
        parts.append(data)
        size += len(data)
        if size > _ANSWER_MAX_BYTES:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The answer is too large.")
    return b"".join(parts)
