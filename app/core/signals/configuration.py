"""Newer configurations, used or rejected."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class ConfigReloaded(msgspec.Struct, frozen=True):
    """
    The configuration was read again and is in use; `before` and `now` are digests, equal if nothing has changed.

    `changes` counts the settings that differ, and `changed` names the first of them, never their values.
    """

    before: str
    now: str
    changes: int = 0
    changed: str = ""


class ConfigRejected(msgspec.Struct, frozen=True):
    """A newer configuration is bad and was not used; `path` names the first of its problems."""

    problems: int
    path: str


ConfigurationSignal: TypeAlias = ConfigReloaded | ConfigRejected
