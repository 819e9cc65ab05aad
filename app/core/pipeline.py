"""
Composition of the pipeline: a `Handler` takes a call and returns a reply; a `Stage` wraps a handler.

Stages are composed when a configuration is loaded. Only `app/assembly/stages.py` declares their order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from app.core.call import Reply
from app.core.model import Completion
from app.core.outcome import COMPLETED, Finisher, Outcome, conclude

C = TypeVar("C")  # a Call above the fallback stage, an Attempt below it
Handler: TypeAlias = Callable[[C], Awaitable[Reply]]


class Stage(Protocol[C]):
    """A middleware around a handler; holds settings and ports, never the state of a call."""

    def __call__(self, call: C, proceed: Handler[C], /) -> Awaitable[Reply]:
        """Handle `call`, calling `proceed` zero, one or several times."""


def compose(stages: Sequence[Stage[C]], endpoint: Handler[C]) -> Handler[C]:
    """Nest `stages` around `endpoint`; the first listed sees the call first."""
    handler = endpoint
    for stage in reversed(stages):
        handler = _around(stage, handler)
    return handler


def _around(stage: Stage[C], proceed: Handler[C]) -> Handler[C]:
    enter = stage.__call__  # bound once: calling the instance itself takes three times as long

    def handle(call: C) -> Awaitable[Reply]:
        return enter(call, proceed)

    return handle


async def settle(
    call: C, proceed: Handler[C], finisher: Finisher, look: Callable[[Reply], None] | None = None
) -> Reply:
    """Run the call, and `finisher` exactly once with its outcome, however it ends; `look` gets the reply before."""
    try:
        reply = await proceed(call)
        if look is not None:
            look(reply)
    except BaseException as error:
        if (pending := conclude(finisher, Outcome.of(error))) is not None:
            await pending
        raise
    if isinstance(reply.body, Completion):
        if (pending := conclude(finisher, COMPLETED)) is not None:
            await pending
    else:
        reply.body.when_done(finisher)
    return reply
