"""
Let a call go on with a conversation that the gateway keeps.

The past is put before the messages of the call, and the messages with the answer are added to it in one step once the
answer is complete; of a call that fails or is left nothing is added. Calls of one session do not wait for each other:
each goes on with what was there when it began, and all are added whole.

Inside of the redaction: what is kept is what that let through.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.assemble import Assembler
from app.core.call import Call, End, Outcome, Reply
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.model import ChatRequest, Completion
from app.core.pipeline import Handler
from app.core.session_office import full
from app.core.sessions import (
    Continued,
    Estimate,
    Session,
    SessionStore,
    Trim,
    Turn,
    answer_message,
    continued,
    is_session_id,
    size_of,
)
from app.core.signals import Listener, SessionTurnKept, SessionTurnLost

_TRIMMED = "x-wizard-session-trimmed"
_ANSWER_SHARE, _ANSWER_MAX_TOKENS = 4, 4096  # of the window, kept free for an answer of which nobody says how long


class SessionOptions(msgspec.Struct, frozen=True):
    """
    How large a session may be in bytes, and what is sent of it.

    `window` returns the tokens of prompt and answer that a model takes (None: unknown, or all is to be sent);
    `estimate` counts those of a prompt, `answer` those that a request allows the answer (None: it does not say).
    """

    max_bytes: int
    window: Callable[[str], int | None]
    estimate: Estimate
    answer: Callable[[ChatRequest], int | None]


class Sessions:
    """Continue the session that a call names by an id of ours; any other word only says what belongs together."""

    def __init__(self, options: SessionOptions, store: SessionStore, listener: Listener) -> None:
        self._options = options
        self._store = store
        self._listener = listener

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Pass the call on with its past.

        Raises:
            GatewayError: SESSION_NOT_FOUND, SESSION_EXPIRED, SESSION_FULL, STATE_UNAVAILABLE.
        """
        name, request = call.options.session, call.request
        if name is None or not is_session_id(name) or not isinstance(request, ChatRequest):
            return await proceed(call)
        session = await self._store.load(call.caller.tenant, name)
        found = continued(session, request, self._trim(request), self._options.estimate)
        self._require_room(session, found.new)
        if found.trimmed:
            call.journal.notes[_TRIMMED] = str(found.trimmed)
        reply = await proceed(msgspec.structs.replace(call, request=found.request))
        pending = _Pending(call, found, self._store, self._listener)
        if isinstance(reply.body, Completion):
            await pending.answered(reply.body)
        else:
            assembler = Assembler(self._options.max_bytes)
            reply.body.observe(assembler.observe)
            reply.body.when_done(lambda outcome: pending.streamed(outcome, assembler))
        return reply

    def _trim(self, request: ChatRequest) -> Trim:
        window = self._options.window(request.model)
        if window is None:
            return Trim(None, 0)
        wanted = self._options.answer(request)
        return Trim(window, min(window // _ANSWER_SHARE, _ANSWER_MAX_TOKENS) if wanted is None else wanted)

    def _require_room(self, session: Session, new: Turn) -> None:
        more = size_of(new.messages)
        if new.instructions is not None:
            more += size_of(new.instructions) - size_of(session.instructions)
        if session.head.size + more > self._options.max_bytes:
            raise full(self._options.max_bytes)


class _Pending:
    """A turn that is added once its answer is there."""

    def __init__(self, call: Call, found: Continued, store: SessionStore, listener: Listener) -> None:
        self._call = call
        self._found = found
        self._store = store
        self._listener = listener

    async def answered(self, completion: Completion) -> None:
        """
        Add a whole answer.

        Raises:
            GatewayError: STATE_UNAVAILABLE: the caller tries again, and the conversation has no gap.
        """
        try:
            await self._add(completion)
        except GatewayError as error:
            self._lost(error)
            if error.kind is STATE_UNAVAILABLE:
                raise

    async def streamed(self, outcome: Outcome, assembler: Assembler) -> None:
        """Add an answer that was streamed to its end."""
        completion = assembler.completion() if outcome.end is End.COMPLETED else None
        if completion is None:
            return
        try:
            await self._add(completion)
        except GatewayError as error:
            self._lost(error)

    async def _add(self, completion: Completion) -> None:
        answer = answer_message(completion.raw)
        if answer is None:
            return
        new = self._found.new
        turn = Turn((*new.messages, answer), new.instructions)
        await self._store.append(self._call.caller.tenant, self._call.options.session or "", turn)
        self._listener(SessionTurnKept(self._found.trimmed))

    def _lost(self, error: GatewayError) -> None:
        self._listener(SessionTurnLost(self._call.id, error.kind.code))
