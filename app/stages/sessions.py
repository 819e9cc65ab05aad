"""
Continue a conversation that the gateway stores.

The stored messages are put before those of the call. The call's messages and the answer are added in one step once the
answer is complete and accepted; a call that fails or is abandoned adds nothing. Calls of one session do not wait for
each other: each continues the session as it was when the call began, and each adds its turn as a whole.

Inside of the redaction: only redacted text is stored. Outside of the operator's system prompt, which is not stored,
since callers may read their sessions.
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
_ANSWER_SHARE, _ANSWER_MAX_TOKENS = 4, 4096  # of the window, reserved for an answer without a limit


class SessionOptions(msgspec.Struct, frozen=True):
    """
    How large a session may be in bytes, and how much of it is sent.

    `window` returns the context window of a model in tokens (None: unknown, or everything is to be sent); `estimate`
    counts the tokens of a prompt, `answer` returns the most tokens that a request allows its answer (None: no limit).
    """

    max_bytes: int
    window: Callable[[str], int | None]
    estimate: Estimate
    answer: Callable[[ChatRequest], int | None]


class Sessions:
    """Continue the session that a call names by one of our ids; any other name only groups calls."""

    def __init__(self, options: SessionOptions, store: SessionStore, listener: Listener) -> None:
        self._options = options
        self._store = store
        self._listener = listener

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on with the messages of its session.

        Raises:
            GatewayError: SESSION_NOT_FOUND, SESSION_EXPIRED, SESSION_FULL, STATE_UNAVAILABLE.
        """
        name, request = call.options.session, call.request
        if name is None or not is_session_id(name) or not isinstance(request, ChatRequest):
            return proceed(call)
        return self._continue(call, proceed, name, request)

    async def _continue(self, call: Call, proceed: Handler[Call], name: str, request: ChatRequest) -> Reply:
        session = await self._store.load(call.caller.tenant, name)
        extended = continued(session, request, self._trim(request), self._options.estimate)
        self._require_room(session, extended.new)
        if extended.trimmed:
            call.journal.notes[_TRIMMED] = str(extended.trimmed)
        reply = await proceed(msgspec.structs.replace(call, request=extended.request))
        turn = _Turn(call, extended, self._store, self._listener)
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
        added = size_of(new.messages)
        if new.instructions is not None:
            added += size_of(new.instructions) - size_of(session.instructions)
        if session.head.size + added > self._options.max_bytes:
            raise full(self._options.max_bytes)


class _Turn:
    """What is added to a session once its answer is accepted."""

    def __init__(self, call: Call, extended: Continued, store: SessionStore, listener: Listener) -> None:
        self._call = call
        self._extended = extended
        self._store = store
        self._listener = listener

    async def keep(self, completion: Completion | None) -> None:
        """
        Add the messages of the call and its answer to the session; nothing for an answer without a message (or None).

        Raises:
            GatewayError: The store failed; reported as `SessionTurnLost`.
        """
        answer = None if completion is None else answer_message(completion.raw)
        if answer is None:
            return
        new, call = self._extended.new, self._call
        turn = Turn((*new.messages, answer), new.instructions)
        try:
            await self._store.append(call.caller.tenant, call.options.session or "", turn)
        except GatewayError as error:
            self._listener(SessionTurnLost(call.id, error.kind.code))
            raise
        self._listener(SessionTurnKept(self._extended.trimmed))
