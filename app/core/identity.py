"""
Who calls: what a request presents, and what it was found to stand for.

A credential is shown to nobody: its type hides it in its `repr`, and nothing but the comparison of hashes needs it.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from app.core.money import Budget
from app.core.rules import Rule
from app.core.traffic.admission import Priority


class Credential(msgspec.Struct, frozen=True):
    """What a request brought as its key. Compare hashes of it; never log, forward or store it."""

    token: bytes

    def __repr__(self) -> str:
        """Say that there is one."""
        return "Credential(...)"


class Caller(msgspec.Struct, frozen=True):
    """
    Who a call is for.

    `id` names the key (or the subject of a token); whatever is kept between calls is kept apart by `tenant`. `models`
    are the patterns of the names that may be asked for, `roles` those of the messages that may be sent; None allows
    all. `priority` is the highest that its calls may have; `limits` and `budgets` are those of the key itself, on top
    of those of the gateway; `debug` says that it may see the stories of its calls.
    """

    id: str
    tenant: str
    name: str = ""
    team: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    priority: Priority | None = None
    limits: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()
    debug: bool = False

    @property
    def known(self) -> bool:
        """Say whether this is somebody in particular."""
        return not self.tenant.startswith(OPEN)


# How the tenants of those begin whom nobody knows; each key that they send is one of its own. No key has such an id.
OPEN: Final = "open"
ANONYMOUS: Final = Caller("anonymous", OPEN)


class Identities(Protocol):
    """Knows whose keys there are."""

    async def identify(self, credential: Credential | None, request_id: str = "") -> Caller:
        """
        Return who presents `credential`; what is reported of a refusal names `request_id`.

        Raises:
            GatewayError: UNAUTHORIZED where a key is required and this is none that is valid, STATE_UNAVAILABLE where
                nobody can tell at present.
        """
