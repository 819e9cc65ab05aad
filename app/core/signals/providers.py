"""What happens to the keys of providers, and to the built-in model."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class KeySetAside(msgspec.Struct, frozen=True):
    """
    One of a provider's several keys is left out for `pause_s`.

    `position` counts the keys in the configuration from 1; `reason` is rate_limited, refused or quota_spent.
    """

    provider: str
    position: int
    reason: str
    pause_s: float


class ProviderLimitNear(msgspec.Struct, frozen=True):
    """
    A provider said that less than a tenth of one of its own limits is left; told once until much more is left again.

    `measure` is requests or tokens; `remaining` of `most` are left.
    """

    provider: str
    model: str
    measure: str
    remaining: int
    most: int


class ProviderHealthChanged(msgspec.Struct, frozen=True):
    """A provider went down, or is back; `code` is that of the failure by which it went."""

    provider: str
    up: bool
    code: str


class LocalModelChanged(msgspec.Struct, frozen=True):
    """The process of the built-in model started, died or was given up; `reason` is a fixed phrase."""

    state: str
    reason: str


ProviderSignal: TypeAlias = KeySetAside | ProviderLimitNear | ProviderHealthChanged | LocalModelChanged
