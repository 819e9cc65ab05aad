"""
Mark prompts so that attacks fail or show: results of tools as data, and the system prompt with a tripwire.

The last to change a prompt. What is marked would hide from the redaction, belongs in no session that callers can read,
and has to hold also what the gateway itself puts before their messages.
"""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from app.core.call import Call, Reply
from app.core.guards.checks import Tripwire
from app.core.guards.spotlight import Spotlight, spotlit
from app.core.model import ChatRequest
from app.core.per_route import PerRoute
from app.core.pipeline import Handler


class PromptMarks(msgspec.Struct, frozen=True):
    """How prompts of one route are marked; `key` is that of spotlighting."""

    spotlight: Spotlight = Spotlight.NONE
    tripwire: Tripwire | None = None
    key: bytes = b""


class MarkPrompt:
    """Mark the prompts of each route; None leaves them alone."""

    def __init__(self, marks: PerRoute[PromptMarks | None]) -> None:
        self._marks = marks

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass the call on with its prompt marked."""
        marks, request = self._marks.of(call.request.model), call.request
        if marks is None or not isinstance(request, ChatRequest):
            return proceed(call)
        changed = spotlit(request, marks.spotlight, marks.key)
        if marks.tripwire is not None:
            changed = marks.tripwire.marked(changed)
        return proceed(call if changed is request else msgspec.structs.replace(call, request=changed))
