"""
Sessions, conversations that the gateway stores: their types, the port of the store, and how a turn extends them. Pure.

A session only grows: a turn appends its messages and the answer, atomically. Messages are stored as their original
JSON, so that nothing is lost. The leading system or developer messages of a conversation are its instructions; a turn
with other instructions replaces them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from app.core.errors import SESSION_EXPIRED, SESSION_FULL, SESSION_NOT_FOUND, GatewayError
from app.core.messages import messages_of, with_messages
from app.core.model import ChatFields, ChatRequest

ID_PREFIX: Final = "sess_"
_ID_BYTES: Final = 16
_INSTRUCTING: Final = frozenset({"system", "developer"})
_THOUGHTS: Final = frozenset({"reasoning_content", "reasoning"})  # providers refuse or ignore these in requests
# Members of messages from other dialects or providers that servers of OpenAI's dialect do not know.
_BEYOND_OPENAI: Final = tuple(
    [
        b'"%b"' % name
        for name in (b"reasoning_details", b"extra_content", b"cache_control", b"prompt_cache_breakpoint", b"is_error")
    ]
)
_SHOWN_MAX_CHARS: Final = 100

Raw: TypeAlias = bytes  # one message as JSON
Estimate: TypeAlias = Callable[[ChatRequest], int]  # tokens of a prompt


class Head(msgspec.Struct, frozen=True):
    """
    The metadata of a session. Times are in seconds since 1970, `size` in bytes.

    Each use sets `expires` to `ttl_s` from then. `metadata` is a JSON object of the owner.
    """

    id: str
    tenant: str
    created: float
    expires: float
    ttl_s: float
    model: str | None = None
    metadata: Raw = b"{}"
    turns: int = 0
    messages: int = 0
    size: int = 0


class Session(msgspec.Struct, frozen=True):
    """A session with its messages."""

    head: Head
    instructions: tuple[Raw, ...] = ()
    messages: tuple[Raw, ...] = ()


class Turn(msgspec.Struct, frozen=True):
    """What one call adds to a session; None for `instructions` leaves them as they are."""

    messages: tuple[Raw, ...]
    instructions: tuple[Raw, ...] | None = None


class Trim(msgspec.Struct, frozen=True):
    """The limit of the context: `tokens` for prompt and answer together (None: no limit), `answer` of them reserved."""

    tokens: int | None
    answer: int


class Continued(msgspec.Struct, frozen=True):
    """A request with the session's messages, of which the oldest `trimmed` are left out, and the `new` turn."""

    request: ChatRequest
    trimmed: int
    new: Turn


class SessionStore(Protocol):
    """
    Stores sessions. Each method is atomic; a session exists only for its owner.

    All raise STATE_UNAVAILABLE if the store is unreachable, and those with a session id SESSION_NOT_FOUND or
    SESSION_EXPIRED.
    """

    async def create(self, session: Session) -> None:
        """Store a new session; raise SESSION_FULL if the owner, or all owners together, have the maximum number."""

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and set its expiry to `ttl_s` from now."""

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Append a turn."""

    async def delete(self, tenant: str, session_id: str) -> None:
        """Delete a session."""

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return up to `limit` sessions of one owner, or of all (None), the most recently used first."""

    async def aclose(self) -> None:
        """Release the store's resources."""


class _Role(msgspec.Struct, frozen=True):
    role: str = ""


class _Choice(msgspec.Struct, frozen=True):
    message: dict[str, msgspec.Raw] | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []


def is_session_id(text: str) -> bool:
    """Return whether `text` has the form of a stored session's id; any other only groups calls that belong together."""
    return text.startswith(ID_PREFIX)


def new_session_id(entropy: Callable[[int], bytes]) -> str:
    """Return an unguessable id."""
    return ID_PREFIX + entropy(_ID_BYTES).hex()


def split(messages: Sequence[Raw]) -> tuple[tuple[Raw, ...], tuple[Raw, ...]]:
    """Return the leading instructions of a conversation, and the rest."""
    at = 0
    while at < len(messages) and _role(messages[at]) in _INSTRUCTING:
        at += 1
    return tuple(messages[:at]), tuple(messages[at:])


def continued(session: Session, request: ChatRequest, trim: Trim, estimate: Estimate) -> Continued:
    """Prepend the messages of `session` to those of `request`, without the oldest that exceed `trim`."""
    instructions, new = split([bytes(message) for message in messages_of(request.raw)])
    changed = bool(instructions) and instructions != session.instructions
    leading = instructions or session.instructions
    kept = _fitting(session.messages, _with(request, *leading, *new), trim, estimate)
    turn = Turn(new, instructions if changed else None)
    whole = _with(request, *leading, *kept, *new)
    if not whole.translated and any(name in message for message in (*leading, *kept) for name in _BEYOND_OPENAI):
        whole = msgspec.structs.replace(whole, translated=True)  # the gateway, not the client, sends the past
    return Continued(whole, len(session.messages) - len(kept), turn)


def turn_from(messages: Sequence[Raw], at: int) -> int:
    """
    Return the index of the first turn at or after `at`; turns begin with a user's message, as providers require.

    Index 0 is returned as it is: whoever wrote the conversation decides how it begins.
    """
    while 0 < at < len(messages) and _role(messages[at]) != "user":
        at += 1
    return at


def answer_message(completion: bytes) -> Raw | None:
    """
    Return the message of a complete answer in a form that requests may contain; None if there is none.

    Empty members and readable reasoning are left out; everything else stays, such as signed reasoning.
    """
    choices = msgspec.json.decode(completion, type=_Answer).choices
    message = choices[0].message if choices else None
    if message is None:
        return None
    empty = (b"null", b"[]")
    kept = {name: value for name, value in message.items() if bytes(value) not in empty and name not in _THOUGHTS}
    kept.setdefault("content", msgspec.Raw(b"null"))
    return msgspec.json.encode({"role": msgspec.Raw(b'"assistant"'), **kept})


def size_of(messages: Sequence[Raw]) -> int:
    """Return the size of messages in bytes."""
    return sum([len(message) for message in messages])


def grown(session: Session, turn: Turn) -> Session:
    """Return the session after a turn."""
    instructions = session.instructions if turn.instructions is None else turn.instructions
    messages = session.messages + turn.messages
    head = msgspec.structs.replace(
        session.head,
        turns=session.head.turns + 1,
        messages=len(messages),
        size=size_of(instructions) + size_of(messages),
    )
    return Session(head, instructions, messages)


def emptied(session: Session) -> Session:
    """Return what may be kept of an expired session: no messages and no metadata."""
    return Session(msgspec.structs.replace(session.head, metadata=b"{}", turns=0, messages=0, size=0))


def not_found(session_id: str) -> GatewayError:
    """Return the error for a session that the caller does not have."""
    message = f"There is no session {session_id[:_SHOWN_MAX_CHARS]!r}."
    return GatewayError(SESSION_NOT_FOUND, message, param="session_id")


def expired(session_id: str) -> GatewayError:
    """Return the error for an expired session."""
    message = f"The session {session_id[:_SHOWN_MAX_CHARS]!r} was not used for too long and has expired."
    return GatewayError(SESSION_EXPIRED, message, param="session_id")


def too_many() -> GatewayError:
    """Return the error for a session beyond the maximum number."""
    return GatewayError(SESSION_FULL, "There are as many sessions as there may be.", suggestion="Delete some of them.")


def _fitting(past: tuple[Raw, ...], rest: ChatRequest, trim: Trim, estimate: Estimate) -> tuple[Raw, ...]:
    """
    Return `past` without the oldest messages, so that the rest fits; it begins with a user's message.

    If `rest` begins with a tool result, the turn of its call is kept whole even if it does not fit.
    """
    if trim.tokens is None or not past:
        return past
    room = trim.tokens - trim.answer - estimate(rest)
    at = len(past)
    while at > 0 and room > 0:
        room -= estimate(_only(rest, past[at - 1]))
        if room >= 0:
            at -= 1
    at = turn_from(past, at)
    if next((message.role for message in rest.fields.messages if message.role not in _INSTRUCTING), "") == "tool":
        at = min(at, max([number for number, message in enumerate(past) if _role(message) == "user"], default=0))
    return past[at:]


def _with(request: ChatRequest, *messages: Raw) -> ChatRequest:
    return with_messages(request, [msgspec.Raw(message) for message in messages])


def _only(request: ChatRequest, message: Raw) -> ChatRequest:
    """Return a request with only `message`, to estimate the tokens of that."""
    raw = b'{"model":%b,"messages":[%b]}' % (msgspec.json.encode(request.model), message)
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def _role(message: Raw) -> str:
    return msgspec.json.decode(message, type=_Role).role
