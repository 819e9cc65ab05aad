"""Create and fork sessions. Reads and deletions go directly to the store."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.bodies import decode_as
from app.core.clock import Clock
from app.core.errors import CONFLICT, INVALID_REQUEST, SESSION_FULL, GatewayError
from app.core.keys.virtual_keys import Entropy
from app.core.model import ChatFields, ChatRequest
from app.core.sessions import Head, Raw, Session, SessionStore, new_session_id, not_found, size_of, split, turn_from

_LISTING_MAX = 100_000  # sessions of all tenants that an operator can find
METADATA_MAX_BYTES = 16_384  # more than OpenAI's 16 pairs take; no other limit counts the bytes of metadata


class SessionSpec(msgspec.Struct, frozen=True):
    """
    The contents of a new session; without `ttl_s` it lives as long as possible.

    `messages` may begin with instructions; `system` is put before them.
    """

    messages: tuple[Raw, ...] = ()
    model: str | None = None
    metadata: Raw = b"{}"
    ttl_s: float | None = None
    system: str | None = None


class Branch(msgspec.Struct, frozen=True):
    """
    Which messages a fork takes: the first `at`, or the last `last`, or without both all.

    If `last` would begin within a turn, the rest of that turn is omitted, so that no tool result lacks its call.
    """

    at: int | None = None
    last: int | None = None


class SessionBounds(msgspec.Struct, frozen=True):
    """The maximum size and unused lifetime of a session, and whether all calls reach the same store (`alone`)."""

    max_bytes: int
    ttl_s: float
    alone: bool


class SessionManager:
    """
    Creates sessions in `store`; a tenant can fork only its own.

    `check` raises `GatewayError` for a conversation that no turn could continue.
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
        Create a session.

        Raises:
            GatewayError: SESSION_FULL, INVALID_REQUEST, CONFLICT, STATE_UNAVAILABLE.
        """
        if len(spec.metadata) > METADATA_MAX_BYTES:
            message = f"The metadata of a session takes {METADATA_MAX_BYTES} bytes at most."
            raise GatewayError(INVALID_REQUEST, message, param="metadata")
        system = [] if spec.system is None else [msgspec.json.encode({"role": "system", "content": spec.system})]
        if system or spec.messages:
            # `system` comes last, so that errors name the client's own indexes of `messages`
            self._check(_conversation(spec.model, [*spec.messages, *system]))
        instructions, messages = split([*system, *spec.messages])
        return await self._keep(tenant, spec, instructions, messages)

    async def fork(self, tenant: str, session_id: str, branch: Branch) -> Session:
        """
        Create a session with messages of an existing one, which stays as it is.

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
        Return the tenant of a session; for operators.

        Raises:
            GatewayError: SESSION_NOT_FOUND, STATE_UNAVAILABLE.
        """
        for head in await self.store.listing(None, _LISTING_MAX):
            if head.id == session_id:
                return head.tenant
        raise not_found(session_id)

    async def _keep(
        self, tenant: str, spec: SessionSpec, instructions: tuple[Raw, ...], messages: tuple[Raw, ...]
    ) -> Session:
        self._require_common_store()
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

    def _require_common_store(self) -> None:
        if not self._bounds.alone:
            message = "Sessions would be known to one of several worker processes only."
            advice = "Set 'sessions.store' to sqlite, file or redis."
            raise GatewayError(CONFLICT, message, suggestion=advice)


def full(max_bytes: int) -> GatewayError:
    """Return the error for messages that would make a session too large."""
    return GatewayError(SESSION_FULL, f"A session holds {max_bytes} bytes at most, and this one has no room for more.")


def _conversation(model: str | None, messages: list[Raw]) -> ChatRequest:
    """Return the chat request of a call with `messages`; the model determines how strict the check is."""
    raw = msgspec.json.encode({"model": model or "", "messages": [msgspec.Raw(message) for message in messages]})
    return ChatRequest(decode_as(ChatFields, raw), raw)
