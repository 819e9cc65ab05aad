"""
Puts together what replicas share through Redis.

`app.main` imports this module only when Redis is configured: redis-py would take a fifth of the time that a gateway
needs to start.
"""

from __future__ import annotations

import msgspec

from app.core.signals import Listener
from app.state.connecting import connect
from app.state.degrading import Link, LinkOptions
from app.state.memory import LocalCircuits, Means
from app.state.mirror import Fail, SharedCircuits
from app.state.redis import RedisCircuits


class SharingOptions(msgspec.Struct, frozen=True):
    """Where Redis is, what it may take, how keys begin, and what circuits do without it."""

    url: str
    timeout_s: float
    connect_s: float
    key_prefix: str
    circuits_fail: Fail


def share(options: SharingOptions, means: Means, listener: Listener) -> tuple[SharedCircuits, Link]:
    """Return circuits that are shared once the link, which the caller enters, is up."""
    client = connect(options.url, options.connect_s)
    link = Link(client, LinkOptions(options.timeout_s, options.connect_s), means.chance, listener)
    store = RedisCircuits(link.submit, options.key_prefix)
    return SharedCircuits(store, link, LocalCircuits(means), means, options.circuits_fail), link
