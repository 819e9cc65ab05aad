"""
Record the decision trace of a call, and show it to a caller who asks for it and may see it.

Inside all stages that identify the caller, so that the trace belongs to a known caller.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.core.call import Call, Reply
from app.core.decision_trace import DecisionTraces
from app.core.identity import Caller
from app.core.pipeline import Handler


class DecisionTrace:
    """
    Record the decision traces of calls.

    Args:
        stories: Collects the traces.

        everybody: Whether all calls are traced, and not only those that are shown.

        may_see: Returns whether a caller may see the trace of its call by asking for it (`x-wizard-debug`).
    """

    def __init__(self, stories: DecisionTraces, may_see: Callable[[Caller], bool], *, everybody: bool) -> None:
        self._stories = stories
        self._may_see = may_see
        self._everybody = everybody

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass the call on unchanged; if the caller is to see the trace, it is in the journal."""
        shown = call.options.debug and self._may_see(call.caller)
        if shown or self._everybody:
            steps = self._stories.follow(call)
            if shown:
                call.journal.story = steps
        return proceed(call)
