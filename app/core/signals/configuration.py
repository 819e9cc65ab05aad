"""Newer configurations, used or rejected."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class ConfigReloaded(msgspec.Struct, frozen=True):
    """A newer configuration is in use; both are digests."""

    before: str
    now: str


class ConfigRejected(msgspec.Struct, frozen=True):
    """A newer configuration is bad and was not used; `path` names the first of its problems."""

    problems: int
    path: str


ConfigurationSignal: TypeAlias = ConfigReloaded | ConfigRejected
