"""
Let a call go on with a conversation that the gateway keeps.

The past is put before the messages of the call, and the messages with the answer are to be added to it in one step once
the answer is complete and accepted; of a call that fails or is left nothing is added. Calls of one session do not wait
for each other: each goes on with what was there when it began, and all are added whole.

Inside of the redaction: what is kept is what that let through. Outside of the operator's instructions, which are not
kept, since callers may read what is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from app.core.answers.assemble import whole_of
from app.core.call import Call, Reply
from app.core.errors import GatewayError
from app.core.model import ChatRequest, Completion
from app.core.pipeline import Handler
from app.core.session_manager import full
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

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on with its past.

        Raises:
            GatewayError: SESSION_NOT_FOUND, SESSION_EXPIRED, SESSION_FULL, STATE_UNAVAILABLE.
        """
        name, request = call.options.session, call.request
        if name is None or not is_session_id(name) or not isinstance(request, ChatRequest):
            return proceed(call)
        return self._go_on(call, proceed, name, request)

    async def _go_on(self, call: Call, proceed: Handler[Call], name: str, request: ChatRequest) -> Reply:
        session = await self._store.load(call.caller.tenant, name)
        found = continued(session, request, self._trim(request), self._options.estimate)
        self._require_room(session, found.new)
        if found.trimmed:
            call.journal.notes[_TRIMMED] = str(found.trimmed)
        reply = await proceed(msgspec.structs.replace(call, request=found.request))
        turn = _Turn(call, found, self._store, self._listener)
        whole = whole_of(reply, self._options.max_bytes)
        call.journal.keep_turn = lambda: turn.keep(whole())
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


class _Turn:
    """What is added to a session once its answer is accepted."""

    def __init__(self, call: Call, found: Continued, store: SessionStore, listener: Listener) -> None:
        self._call = call
        self._found = found
        self._store = store
        self._listener = listener

    async def keep(self, completion: Completion | None) -> None:
        """
        Add the messages of the call and its answer; None is one that does not say enough to be read again.

        Raises:
            GatewayError: What the store says; that is told.
        """
        answer = None if completion is None else answer_message(completion.raw)
        if answer is None:
            return
        new, call = self._found.new, self._call
        turn = Turn((*new.messages, answer), new.instructions)
        try:
            await self._store.append(call.caller.tenant, call.options.session or "", turn)
        except GatewayError as error:
            self._listener(SessionTurnLost(call.id, error.kind.code))
            raise
        self._listener(SessionTurnKept(self._found.trimmed))
