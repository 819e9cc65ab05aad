"""Sessions in the memory of this process."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from app.core.clock import Clock
from app.core.sessions import Head, Session, Turn, expired, grown, not_found, too_many
from app.state.sessions import GRACE_S, SWEEP_EVERY_S, StoreLimits


class MemorySessions:
    """The `SessionStore` of one process. Nothing here awaits, hence every step is atomic under asyncio."""

    def __init__(self, limits: StoreLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()  # in order of last use
        self._gone: dict[str, Head] = {}  # expired ones
        self._counts: dict[str, int] = {}
        self._bytes = 0
        self._swept = 0.0

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        head = session.head
        if self._clock.now() - self._swept >= SWEEP_EVERY_S or not self._has_room(head):
            self._sweep()
        if not self._has_room(head):
            raise too_many()
        self._kept[head.id] = session
        self._counts[head.tenant] = self._counts.get(head.tenant, 0) + 1
        self._bytes += head.size

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and extend its lifetime."""
        return self._touched(self._living(tenant, session_id))

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn."""
        before = self._living(tenant, session_id)
        after = grown(before, turn)
        more = after.head.size - before.head.size
        if self._bytes + more > self._limits.total_max_bytes:
            raise too_many()
        self._bytes += more
        return self._touched(after).head

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""
        self._drop(self._living(tenant, session_id).head)

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return sessions, most recently used first."""
        self._sweep()
        found = [kept.head for kept in reversed(self._kept.values()) if tenant in {None, kept.head.tenant}]
        return found[:limit]

    async def aclose(self) -> None:
        """Do nothing."""

    def _has_room(self, head: Head) -> bool:
        mine, limits = self._counts.get(head.tenant, 0), self._limits
        return mine < limits.sessions_max and self._bytes + head.size <= limits.total_max_bytes

    def _living(self, tenant: str, session_id: str) -> Session:
        kept = self._kept.get(session_id)
        if kept is not None and self._clock.wall() >= kept.head.expires:
            self._expire(kept.head)
            kept = None
        if kept is not None and kept.head.tenant == tenant:
            return kept
        gone = self._gone.get(session_id)
        raise expired(session_id) if gone is not None and gone.tenant == tenant else not_found(session_id)

    def _touched(self, session: Session) -> Session:
        head = msgspec.structs.replace(session.head, expires=self._clock.wall() + session.head.ttl_s)
        self._kept[head.id] = touched = msgspec.structs.replace(session, head=head)
        self._kept.move_to_end(head.id)
        return touched

    def _sweep(self) -> None:
        """Remove the content of expired sessions at once, and their heads later."""
        self._swept, now_wall = self._clock.now(), self._clock.wall()
        for head in [kept.head for kept in self._kept.values() if now_wall >= kept.head.expires]:
            self._expire(head)
        self._gone = {gone.id: gone for gone in self._gone.values() if now_wall < gone.expires + GRACE_S}

    def _expire(self, head: Head) -> None:
        self._drop(head)
        self._gone[head.id] = msgspec.structs.replace(head, metadata=b"{}")

    def _drop(self, head: Head) -> None:
        del self._kept[head.id]
        self._bytes -= head.size
        left = self._counts.pop(head.tenant) - 1
        if left:
            self._counts[head.tenant] = left
