"""
Put a route's own system message first, and drop or refuse those of callers where the operator wants that.

After validation, which bounds the caller's own messages, and before the cache, which must see what is actually sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final, Literal

import msgspec

from app.core.call import Call, Reply
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.messages import messages_of, with_messages
from app.core.model import ChatRequest
from app.core.pipeline import Handler

_SYSTEM: Final = frozenset({"system", "developer"})


class SystemPromptOptions(msgspec.Struct, frozen=True):
    """One route's system message (None: it has none), and what to do with those of callers."""

    prompt: str | None
    callers: Literal["keep", "drop", "refuse"]


class SystemPrompt:
    """Change the messages of calls on routes with a system prompt."""

    def __init__(self, routes: Mapping[str, SystemPromptOptions]) -> None:
        self._routes = routes

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on with the messages of its route.

        Raises:
            GatewayError: INVALID_REQUEST where callers may send no system message.
        """
        options, request = self._routes.get(call.request.model), call.request
        if options is None or not isinstance(request, ChatRequest):
            return proceed(call)
        changed = self._instructed(request, options)
        return proceed(msgspec.structs.replace(call, request=changed))

    def _instructed(self, request: ChatRequest, options: SystemPromptOptions) -> ChatRequest:
        sent = [index for index, message in enumerate(request.fields.messages) if message.role in _SYSTEM]
        if sent and options.callers == "refuse":
            problem = f"The model {request.model!r} takes no system messages from callers."
            raise GatewayError(INVALID_REQUEST, problem, param=f"messages[{sent[0]}].role")
        dropped = frozenset(sent) if options.callers == "drop" else frozenset[int]()
        if not dropped and options.prompt is None:
            return request
        kept = [message for index, message in enumerate(messages_of(request.raw)) if index not in dropped]
        first = [] if options.prompt is None else [{"role": "system", "content": options.prompt}]
        return with_messages(request, [*first, *kept])
