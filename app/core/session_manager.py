"""How sessions are begun and branched off; whoever looks at one, or ends it, asks the store."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.bodies import decode_as
from app.core.clock import Clock
from app.core.errors import CONFLICT, INVALID_REQUEST, SESSION_FULL, GatewayError
from app.core.keys.virtual_keys import Entropy
from app.core.model import ChatFields, ChatRequest
from app.core.sessions import Head, Raw, Session, SessionStore, new_session_id, not_found, size_of, split, turn_from

_EVERYBODYS_MAX = 100_000  # sessions that an operator can reach
METADATA_MAX_BYTES = 16_384  # more than OpenAI's 16 pairs take; what is kept beside messages is counted nowhere else


class SessionSpec(msgspec.Struct, frozen=True):
    """
    What a new session shall be; `ttl_s` of None is the longest.

    Messages may begin with instructions; `system` comes before them.
    """

    messages: tuple[Raw, ...] = ()
    model: str | None = None
    metadata: Raw = b"{}"
    ttl_s: float | None = None
    system: str | None = None


class Branch(msgspec.Struct, frozen=True):
    """
    Where a session branches off: after its first `at` messages, or with its `last` ones; None is all of it.

    What is left of a turn that the last messages cut is left out: a tool's result never stays without its call.
    """

    at: int | None = None
    last: int | None = None


class SessionBounds(msgspec.Struct, frozen=True):
    """How large a session may be, how long it may live unused, and whether this process is the only one that has it."""

    max_bytes: int
    ttl_s: float
    alone: bool


class SessionManager:
    """
    The sessions of everybody, which `store` keeps; whoever asks sees its own.

    `check` raises `GatewayError` for a conversation that no turn could go on with.
    """

    def __init__(
        self,
        store: SessionStore,
        bounds: SessionBounds,
        clock: Clock,
        entropy: Entropy,
        check: Callable[[ChatRequest], None],
    ) -> None:
        self.store = store
        self._bounds = bounds
        self._clock = clock
        self._entropy = entropy
        self._check = check

    async def begin(self, tenant: str, spec: SessionSpec) -> Session:
        """
        Begin a session.

        Raises:
            GatewayError: SESSION_FULL, INVALID_REQUEST, CONFLICT, STATE_UNAVAILABLE.
        """
        if len(spec.metadata) > METADATA_MAX_BYTES:
            message = f"The metadata of a session takes {METADATA_MAX_BYTES} bytes at most."
            raise GatewayError(INVALID_REQUEST, message, param="metadata")
        system = [] if spec.system is None else [msgspec.json.encode({"role": "system", "content": spec.system})]
        if system or spec.messages:
            self._check(_asked(spec.model, [*spec.messages, *system]))  # in front it would shift the others' numbers
        instructions, messages = split([*system, *spec.messages])
        return await self._keep(tenant, spec, instructions, messages)

    async def fork(self, tenant: str, session_id: str, branch: Branch) -> Session:
        """
        Begin a session with what another has so far; the other goes on by itself.

        Raises:
            GatewayError: Those of `begin`; SESSION_NOT_FOUND, SESSION_EXPIRED.
        """
        origin = await self.store.load(tenant, session_id)
        messages = origin.messages
        if branch.at is not None:
            messages = messages[: branch.at]
        if branch.last is not None:
            messages = messages[turn_from(messages, max(0, len(messages) - branch.last)) :]
        head = origin.head
        spec = SessionSpec(model=head.model, metadata=head.metadata, ttl_s=head.ttl_s)
        return await self._keep(tenant, spec, origin.instructions, messages)

    async def owner(self, session_id: str) -> str:
        """
        Return whose a session is; for operators.

        Raises:
            GatewayError: SESSION_NOT_FOUND, STATE_UNAVAILABLE.
        """
        for head in await self.store.listing(None, _EVERYBODYS_MAX):
            if head.id == session_id:
                return head.tenant
        raise not_found(session_id)

    async def _keep(
        self, tenant: str, spec: SessionSpec, instructions: tuple[Raw, ...], messages: tuple[Raw, ...]
    ) -> Session:
        self._require_one_memory()
        bounds, now_wall = self._bounds, self._clock.wall()
        ttl_s = bounds.ttl_s if spec.ttl_s is None else spec.ttl_s
        if ttl_s > bounds.ttl_s:
            message = f"A session lives for {bounds.ttl_s:g} s without use at most."
            raise GatewayError(INVALID_REQUEST, message, param="ttl_s")
        size = size_of(instructions) + size_of(messages)
        if size > bounds.max_bytes:
            raise full(bounds.max_bytes)
        head = Head(
            id=new_session_id(self._entropy),
            tenant=tenant,
            created=now_wall,
            expires=now_wall + ttl_s,
            ttl_s=ttl_s,
            model=spec.model,
            metadata=spec.metadata,
            messages=len(messages),
            size=size,
        )
        session = Session(head, instructions, messages)
        await self.store.create(session)
        return session

    def _require_one_memory(self) -> None:
        if not self._bounds.alone:
            message = "Sessions would be known to one of several worker processes only."
            advice = "Set 'sessions.store' to sqlite, file or redis."
            raise GatewayError(CONFLICT, message, suggestion=advice)


def full(max_bytes: int) -> GatewayError:
    """Return the refusal of what would make a session too large."""
    return GatewayError(SESSION_FULL, f"A session holds {max_bytes} bytes at most, and this one has no room for more.")


def _asked(model: str | None, messages: list[Raw]) -> ChatRequest:
    """Return the conversation as a call would bring it; the model decides how strictly it is looked at."""
    raw = msgspec.json.encode({"model": model or "", "messages": [msgspec.Raw(message) for message in messages]})
    return ChatRequest(decode_as(ChatFields, raw), raw)
