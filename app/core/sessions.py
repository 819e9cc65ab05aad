"""
Conversations that the gateway keeps: what one is, and how the next turn is made of it. Pure.

A session only grows: a turn adds its messages and the answer at the end, all of them or none. Messages are kept as the
JSON they came as, so that nothing of them is lost. What the conversation begins with (system or developer messages) is
its instructions; a turn that brings others replaces them from then on.
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
_THOUGHTS: Final = frozenset({"reasoning_content", "reasoning"})  # that providers refuse or ignore when they come back
# Of messages that came in another dialect or from another provider, what a server of OpenAI's form does not know.
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
    What is known of a session besides its messages. Times are seconds since 1970, `size` is in bytes.

    `expires` moves with each use by `ttl_s`. `metadata` is the owner's own JSON object.
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
    """A whole session."""

    head: Head
    instructions: tuple[Raw, ...] = ()
    messages: tuple[Raw, ...] = ()


class Turn(msgspec.Struct, frozen=True):
    """What one call adds to a session; `instructions` of None stay as they are."""

    messages: tuple[Raw, ...]
    instructions: tuple[Raw, ...] | None = None


class Trim(msgspec.Struct, frozen=True):
    """How much of the past is sent: `tokens` for prompt and answer together (None: all), of which some are `answer`."""

    tokens: int | None
    answer: int


class Continued(msgspec.Struct, frozen=True):
    """A request with its past, how many messages of that were left out, and what is new in it."""

    request: ChatRequest
    trimmed: int
    new: Turn


class SessionStore(Protocol):
    """
    Where sessions are kept. Each method is one atomic step; whoever is not the owner finds nothing.

    All raise STATE_UNAVAILABLE where the store is out of reach, and those that name a session SESSION_NOT_FOUND or
    SESSION_EXPIRED.
    """

    async def create(self, session: Session) -> None:
        """Keep a new session; SESSION_FULL if the owner, or everybody together, has as many as there may be."""

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and let it live for its `ttl_s` from now on."""

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn at the end."""

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return the sessions of one owner, or of all (None), those used last first; `limit` at most."""

    async def aclose(self) -> None:
        """Let go of what is open."""


class _Role(msgspec.Struct, frozen=True):
    role: str = ""


class _Choice(msgspec.Struct, frozen=True):
    message: dict[str, msgspec.Raw] | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []


def is_session_id(text: str) -> bool:
    """Say whether a text can only mean a session that is kept here; any other only tells what belongs together."""
    return text.startswith(ID_PREFIX)


def new_session_id(entropy: Callable[[int], bytes]) -> str:
    """Make an id that nobody guesses."""
    return ID_PREFIX + entropy(_ID_BYTES).hex()


def split(messages: Sequence[Raw]) -> tuple[tuple[Raw, ...], tuple[Raw, ...]]:
    """Return the instructions with which a conversation begins, and the rest."""
    at = 0
    while at < len(messages) and _role(messages[at]) in _INSTRUCTING:
        at += 1
    return tuple(messages[:at]), tuple(messages[at:])


def continued(session: Session, request: ChatRequest, trim: Trim, estimate: Estimate) -> Continued:
    """Put the past of `session` before the messages of `request`, as much of it as fits."""
    instructions, new = split([bytes(message) for message in messages_of(request.raw)])
    changed = bool(instructions) and instructions != session.instructions
    leading = instructions or session.instructions
    kept = _fitting(session.messages, _with(request, *leading, *new), trim, estimate)
    turn = Turn(new, instructions if changed else None)
    whole = _with(request, *leading, *kept, *new)
    if not whole.translated and any(name in message for message in (*leading, *kept) for name in _BEYOND_OPENAI):
        whole = msgspec.structs.replace(whole, translated=True)  # for who speaks of the past is the gateway
    return Continued(whole, len(session.messages) - len(kept), turn)


def turn_from(messages: Sequence[Raw], at: int) -> int:
    """
    Return where the first turn from `at` on begins: with what a user says, as providers want it.

    What stands at the beginning of a conversation is left to whoever put it there.
    """
    while 0 < at < len(messages) and _role(messages[at]) != "user":
        at += 1
    return at


def answer_message(completion: bytes) -> Raw | None:
    """
    Return the message of a whole answer in the form in which it may be sent back; None if there is none.

    Members without a value and prose of thinking are left out, everything else stays, such as signed thoughts.
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
    """Return the bytes of messages."""
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
    """Return what may be remembered of a session that has expired: nothing of what was said."""
    return Session(msgspec.structs.replace(session.head, metadata=b"{}", turns=0, messages=0, size=0))


def not_found(session_id: str) -> GatewayError:
    """Return the refusal of a session that this caller has not."""
    message = f"There is no session {session_id[:_SHOWN_MAX_CHARS]!r}."
    return GatewayError(SESSION_NOT_FOUND, message, param="session_id")


def expired(session_id: str) -> GatewayError:
    """Return the refusal of a session whose time is over."""
    message = f"The session {session_id[:_SHOWN_MAX_CHARS]!r} was not used for too long and has expired."
    return GatewayError(SESSION_EXPIRED, message, param="session_id")


def too_many() -> GatewayError:
    """Return the refusal of one session more than there may be."""
    return GatewayError(SESSION_FULL, "There are as many sessions as there may be.", suggestion="Delete some of them.")


def _fitting(past: tuple[Raw, ...], rest: ChatRequest, trim: Trim, estimate: Estimate) -> tuple[Raw, ...]:
    """
    Leave out the oldest messages until what stays fits; it begins with what a user says, as providers want it.

    A tool's result never stays without its call: the turn that it belongs to is sent whole, whatever fits.
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
    """Return a request with one message and nothing else that counts."""
    raw = b'{"model":%b,"messages":[%b]}' % (msgspec.json.encode(request.model), message)
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def _role(message: Raw) -> str:
    return msgspec.json.decode(message, type=_Role).role
