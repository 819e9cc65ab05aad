"""
Refuse models and message roles that the caller's key does not allow.

The edge has authenticated the caller before it read the body, so that the gateway reads nothing from strangers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import NoReturn

from app.core.allow_list import AllowList
from app.core.call import Call, Reply
from app.core.errors import FORBIDDEN, GatewayError
from app.core.model import ChatRequest
from app.core.pipeline import Handler
from app.core.signals import CallForbidden, Listener

_LISTS_MAX = 1024
_SHOWN_MAX_CHARS = 100


class Authorize:
    """
    Check the requested model; the targets of a route are not checked, as the operator chose them.

    Args:
        canonical: Returns the name of a model in allow-lists, `provider/model` for `provider:model`.
    """

    def __init__(self, canonical: Callable[[str], str], listener: Listener) -> None:
        self._canonical = canonical
        self._listener = listener
        # bounded, as tokens may carry any number of lists
        self._list = lru_cache(_LISTS_MAX)(lambda patterns: AllowList(map(canonical, patterns)))

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on unchanged.

        Raises:
            GatewayError: FORBIDDEN.
        """
        caller, model = call.caller, call.request.model
        if caller.models is not None and not self._list(caller.models).allows(self._canonical(model)):
            self._refuse(call, f"This key may not use the model {model[:_SHOWN_MAX_CHARS]!r}.", "model")
        if caller.roles is not None and isinstance(call.request, ChatRequest):
            self._check_roles(call, call.request, caller.roles)
        return proceed(call)

    def _check_roles(self, call: Call, request: ChatRequest, roles: Sequence[str]) -> None:
        for index, message in enumerate(request.fields.messages):
            if message.role not in roles:
                shown, allowed = message.role[:_SHOWN_MAX_CHARS], ", ".join(roles) or "none"
                error = f"This key may not send messages with the role {shown!r}; only: {allowed}."
                self._refuse(call, error, f"messages[{index}].role")

    def _refuse(self, call: Call, message: str, param: str) -> NoReturn:
        self._listener(CallForbidden(call.id, call.caller.id))
        raise GatewayError(FORBIDDEN, message, param=param)
