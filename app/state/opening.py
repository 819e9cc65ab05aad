"""
Opens the way to Redis, over which features share their state.

Imported only when Redis is configured: redis-py would take a fifth of the time that a gateway needs to start.
"""

from __future__ import annotations

import msgspec

from app.core.ports import Chance
from app.core.signals import Listener
from app.state.connecting import connect
from app.state.degrading import LinkOptions, RedisLink
from app.state.link import Shared


class SharingOptions(msgspec.Struct, frozen=True):
    """Where Redis is, what it may take, and how every key begins."""

    url: str
    timeout_s: float
    connect_s: float
    key_prefix: str


def share(options: SharingOptions, chance: Chance, listener: Listener) -> Shared:
    """Return what the adapters of features stand on; nothing is connected yet."""
    client = connect(options.url, options.connect_s)
    link = RedisLink(client, LinkOptions(options.timeout_s, options.connect_s), chance, listener)
    return Shared(link, options.key_prefix, link)
