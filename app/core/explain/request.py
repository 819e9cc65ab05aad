"""How the gateway understands a request, and how much time it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from app.core.call import Call
from app.core.explain.port import Inquiry
from app.core.routing.candidates import needs_of
from app.core.tokens import answer_tokens, prompt_of


class RequestSection(msgspec.Struct, frozen=True):
    """
    What was understood.

    `prompt_tokens` is an estimate, `answer_tokens` what the request allows (None: it does not say). `needs` are the
    features that a target must have, `timeout_s` is the time for everything, retries and fallbacks included.
    """

    endpoint: str
    operation: str
    model: str
    stream: bool
    prompt_tokens: int
    answer_tokens: int | None
    needs: tuple[str, ...]
    timeout_s: float
    priority: str
    retry: bool
    fallback: bool


class ExplainRequest(msgspec.Struct, frozen=True):
    """The section `request`; `check` raises `GatewayError` for a request that is not accepted at all."""

    check: Callable[[Call], None]
    section: ClassVar[str] = "request"

    async def explain(self, inquiry: Inquiry) -> RequestSection:
        """
        Say what was understood.

        Raises:
            GatewayError: As `check` does.
        """
        call = inquiry.call
        self.check(call)
        request, options = call.request, call.options
        return RequestSection(
            endpoint=call.endpoint,
            operation=request.operation.value,
            model=request.model,
            stream=request.stream,
            prompt_tokens=prompt_of(call),
            answer_tokens=answer_tokens(request),
            needs=needs_of(call).features,
            timeout_s=round(call.deadline - call.started, 3),
            priority=call.priority.word,
            retry=options.retry,
            fallback=options.fallback,
        )
