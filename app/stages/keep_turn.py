"""
Add the turn of a call to its session once the answer is accepted; the sessions stage has put it into the journal.

Outside of the guards: an answer that they refuse is not part of the conversation, and of answers that they request
again, only the last one is.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress

from app.core.call import Call, Reply
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler


class KeepTurn:
    """Store the turns of calls that continue a session."""

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on, and store its turn.

        Raises:
            GatewayError: STATE_UNAVAILABLE where a whole answer cannot be stored: the caller retries, and the
                conversation has no gap.
        """
        return proceed(call) if call.options.session is None else self._keep(call, proceed)

    async def _keep(self, call: Call, proceed: Handler[Call]) -> Reply:
        reply = await proceed(call)
        keep = call.journal.keep_turn
        if keep is None:
            return reply
        if isinstance(reply.body, Completion):
            try:
                await keep()
            except GatewayError as error:
                if error.kind is STATE_UNAVAILABLE:
                    raise
            return reply

        async def finish(outcome: Outcome) -> None:
            if outcome.end is End.COMPLETED:
                with suppress(GatewayError):
                    await keep()

        reply.body.when_done(finish)
        return reply
