"""Under which key the cache would look for an answer, and leave one behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from app.core.caching.directives import Directives
from app.core.call import Call, Reply
from app.core.explain.port import Inquiry
from app.core.model import Completion
from app.core.pipeline import Stage, compose
from app.core.sessions import is_session_id


class CacheSection(msgspec.Struct, frozen=True):
    """
    The key, whether a stored answer would do (`reads`), and whether the new one would be kept (`stores`).

    `key` is None for a call that has no part in the cache, and for one of a session, which is asked with all that was
    said before.
    """

    key: str | None
    reads: bool
    stores: bool


class ExplainCache(msgspec.Struct, frozen=True):
    """
    The section `cache`.

    `asked` returns what a call wants of the cache, None if nothing; `before` are the stages between the redaction and
    the cache that change what is asked.
    """

    asked: Callable[[Call], Directives | None]
    before: Sequence[Stage[Call]]
    section: ClassVar[str] = "cache"

    async def explain(self, inquiry: Inquiry) -> CacheSection:
        """
        Follow the call to where the cache stands.

        Raises:
            GatewayError: It would not come so far.
        """
        arrived = [inquiry.call]

        async def arrive(call: Call) -> Reply:
            arrived.append(call)
            return Reply(Completion(b""))

        await compose(self.before, arrive)(inquiry.call)
        call = arrived[-1]
        asked = self.asked(call)
        if asked is None:
            return CacheSection(None, reads=False, stores=False)
        session = call.options.session
        of_session = session is not None and is_session_id(session)
        return CacheSection(None if of_session else asked.key, asked.reads, asked.stores)
