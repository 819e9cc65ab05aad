"""Replicas that share virtual keys, inside one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from app.core.signals import Signal
from app.state.keys.redis import SharedKeys
from app.state.link.redis import LinkOptions, RedisLink
from tests.state.sharing import OPTIONS


class Keeper:
    """What one gateway has of it."""

    def __init__(self, url: str, prefix: str, fail: Literal["local", "closed"], link: LinkOptions) -> None:
        self.told: list[Signal] = []
        self.link = RedisLink(url, msgspec.structs.replace(link, key_prefix=prefix), lambda: 0.0, self.told.append)
        self.keys = SharedKeys(self.link, fail)


@asynccontextmanager
async def shared_keys(
    url: str, prefix: str, fail: Literal["local", "closed"] = "local", link: LinkOptions = OPTIONS
) -> AsyncIterator[Keeper]:
    """Run a replica."""
    found = Keeper(url, prefix, fail, link)
    async with found.link:
        yield found
