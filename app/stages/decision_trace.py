"""
Say whose call this is to those who follow its story, and show the story to a caller who asks for it and may see it.

Inside everything that finds out who calls, so that what comes further in can be told of a known caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.core.call import Call, Reply
from app.core.decision_trace import DecisionTraces
from app.core.identity import Caller
from app.core.pipeline import Handler


class DecisionTrace:
    """
    Let the stories of calls be told.

    Args:
        stories: Puts them together.

        everybody: Whether all calls are followed, and not only those that are shown.

        may_see: Who may see the story of a call, by asking for it (`x-wizard-debug`).
    """

    def __init__(self, stories: DecisionTraces, may_see: Callable[[Caller], bool], *, everybody: bool) -> None:
        self._stories = stories
        self._may_see = may_see
        self._everybody = everybody

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass the call on unchanged; its journal knows the story, if the caller is to see it."""
        shown = call.options.debug and self._may_see(call.caller)
        if shown or self._everybody:
            steps = self._stories.follow(call)
            if shown:
                call.journal.story = steps
        return proceed(call)
