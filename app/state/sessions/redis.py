"""
Sessions in Redis, for all replicas. While Redis is out of reach sessions are unavailable: there is no local copy.

All keys of one owner have the same hash tag, and so share one slot of a cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from app.core.sessions import Head, Session, Turn, expired, not_found, size_of, too_many
from app.state.link import Argument, Command, Link, StateLostError, decision, out_of_reach, text_of
from app.state.sessions import GRACE_S, StoreLimits, checked, joined, parted

OWNERS_MAX: Final = 10_000  # that an operator sees


class _About(msgspec.Struct, frozen=True, array_like=True):
    """What never changes."""

    id: str
    tenant: str
    created: float
    model: str | None
    metadata: bytes


class RedisSessions:
    """The `SessionStore` of one replica among several."""

    def __init__(self, link: Link, limits: StoreLimits) -> None:
        self._link = link
        self._prefix = f"{link.key_prefix}:sess"
        self._limits = limits

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        head = session.head
        said = await self._step(
            "session_create",
            head.tenant,
            head.id,
            round(head.ttl_s * 1000),
            msgspec.msgpack.encode(_About(head.id, head.tenant, head.created, head.model, head.metadata)),
            joined(session.instructions),
            size_of(session.instructions),
            head.size,
            self._limits.sessions_max,
            *session.messages,
        )
        if said == b"full":
            raise too_many()
        await self._ask(Command(("SADD", f"{self._prefix}:owners", head.tenant)))

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and extend its lifetime."""
        head, instructions, messages = await self._found("session_load", tenant, session_id)
        return Session(_head(head), parted(instructions), tuple(messages))

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn."""
        instructions = b"" if turn.instructions is None else joined(turn.instructions)
        leading = size_of(turn.instructions or ())
        grown = size_of(turn.messages)
        return _head(
            await self._found("session_append", tenant, session_id, instructions, leading, grown, *turn.messages)
        )

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""
        await self._found("session_delete", tenant, session_id)

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return sessions, most recently used first; only operators list those of all owners."""
        owners = [tenant]
        ask: Callable[[Command], Awaitable[Any]] = self._link.decide
        if tenant is None:
            ask = self._link.operate
            members = await self._answer(ask(Command(("SMEMBERS", f"{self._prefix}:owners"))))
            owners = [text_of(each) for each in members]
        found: list[Head] = []
        for owner in owners[:OWNERS_MAX]:
            start = f"{self._tag(owner or '')}:"
            rows = await self._answer(ask(decision("session_list", (f"{start}index",), start, limit)))
            found += [_head(row) for row in rows if row[0]]
        return sorted(found, key=lambda head: head.expires, reverse=True)[:limit]

    async def aclose(self) -> None:
        """Do nothing: the link belongs to the process."""

    async def _found(self, name: str, tenant: str, session_id: str, *arguments: Argument) -> Any:  # noqa: ANN401 - as redis-py returns it
        """Run a step on a session that must exist."""
        said = await self._step(name, tenant, checked(session_id), *arguments)
        if said == b"gone":
            raise not_found(session_id)
        if said == b"expired":
            raise expired(session_id)
        return said

    async def _step(self, name: str, tenant: str, session_id: str, *arguments: Argument) -> Any:  # noqa: ANN401 - likewise
        tag = self._tag(tenant)
        keys = (f"{tag}:{session_id}", f"{tag}:{session_id}:messages", f"{tag}:index")
        return await self._ask(decision(name, keys, session_id, round(GRACE_S * 1000), *arguments))

    def _ask(self, command: Command) -> Awaitable[Any]:
        return self._answer(self._link.decide(command))

    async def _answer(self, answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - likewise
        try:
            return await answer
        except StateLostError as error:
            raise out_of_reach("The sessions are kept in") from error

    def _tag(self, tenant: str) -> str:
        return f"{{{self._prefix}:{tenant}}}"


def _head(row: Any) -> Head:  # noqa: ANN401 - as redis-py returns it
    packed, ttl, ends, turns, messages, size = row
    about = msgspec.msgpack.decode(packed, type=_About)
    return Head(
        id=about.id,
        tenant=about.tenant,
        created=about.created,
        expires=int(ends) / 1000,
        ttl_s=int(ttl) / 1000,
        model=about.model,
        metadata=about.metadata,
        turns=int(turns),
        messages=int(messages),
        size=int(size),
    )
