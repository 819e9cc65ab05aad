"""
Refuse a caller the models that its key does not allow.

Whom a call is for was found out at the door, before its body was read: a stranger makes the gateway read nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache

from app.core.allow_list import AllowList
from app.core.call import Call, Reply
from app.core.errors import FORBIDDEN, GatewayError
from app.core.pipeline import Handler
from app.core.signals import Listener, ModelForbidden

_LISTS_MAX = 1024
_SHOWN_MAX_CHARS = 100


class Authorize:
    """
    Look at the model that is asked for; what a route leads to is the operator's own choice.

    Args:
        canonical: Returns the name by which allow-lists know a model, `provider/model` for `provider:model`.
    """

    def __init__(self, canonical: Callable[[str], str], listener: Listener) -> None:
        self._canonical = canonical
        self._listener = listener
        # bounded, as tokens may bring any number of lists
        self._list = lru_cache(_LISTS_MAX)(lambda patterns: AllowList(map(canonical, patterns)))

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on unchanged.

        Raises:
            GatewayError: FORBIDDEN.
        """
        patterns = call.caller.models
        if patterns is not None and not self._list(patterns).allows(self._canonical(call.request.model)):
            self._listener(ModelForbidden(call.id, call.caller.id))
            shown = call.request.model[:_SHOWN_MAX_CHARS]
            raise GatewayError(FORBIDDEN, f"This key may not use the model {shown!r}.", param="model")
        return proceed(call)
