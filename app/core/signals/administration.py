"""What operators did, and who tried without being one."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class AdminActed(msgspec.Struct, frozen=True):
    """
    Somebody asked the administration to change something, or was not let in.

    `action` is a method and the pattern of a path, both the gateway's own words (empty where there is no such route);
    `subject` is what was changed (the id of a key or session, a target), where that exists; `peer` is the address that
    the connection came from. Nothing of a body or a query is here, and nothing of a token.
    """

    request_id: str
    action: str
    subject: str
    status: int
    admitted: bool
    peer: str


AdministrationSignal: TypeAlias = AdminActed
