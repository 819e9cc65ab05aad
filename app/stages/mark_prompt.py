"""
Mark prompts so that injections fail or are detected: tool results as data, and the system prompt with a tripwire.

The last stage to change a prompt: marked text would hide from the redaction, must not appear in sessions, which callers
can read, and includes the messages that the gateway itself puts first.
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
    """How prompts of one route are marked; `key` is the key for spotlighting."""

    spotlight: Spotlight = Spotlight.NONE
    tripwire: Tripwire | None = None
    key: bytes = b""


class MarkPrompt:
    """Mark the prompts of each route; None for a route whose prompts are not marked."""

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
