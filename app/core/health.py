"""What is known of providers that are asked now and then only to find out whether they answer. No I/O."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from app.core.errors import (
    CIRCUIT_OPEN,
    INSUFFICIENT_QUOTA,
    OVERLOADED,
    STATE_UNAVAILABLE,
    TARGET_RATE_LIMITED,
    Blame,
    GatewayError,
)
from app.core.signals import Listener, ProviderHealthChanged

# What says nothing about the provider, or that it is there and busy.
_NO_NEWS: Final = (CIRCUIT_OPEN, INSUFFICIENT_QUOTA, OVERLOADED, STATE_UNAVAILABLE, TARGET_RATE_LIMITED)


class Checked(msgspec.Struct, frozen=True):
    """
    How a provider did when it was last asked.

    `failures` in a row; `code` is that of the last one, empty after an answer. `at`, and `since` (of `up`), are seconds
    of the gateway's clock.
    """

    provider: str
    model: str
    up: bool
    failures: int
    code: str
    took_s: float
    at: float
    since: float


class Probing(msgspec.Struct, frozen=True):
    """How one provider is asked: which model, how often, and after how many failures in a row it is down."""

    provider: str
    model: str
    interval_s: float
    timeout_s: float
    stream: bool
    failures: int


class ProviderHealth:
    """Remembers how each provider did. Outlives configurations."""

    def __init__(self) -> None:
        self._checked: dict[str, Checked] = {}
        self._pauses_s: dict[str, float] = {}

    def note(self, probing: Probing, error: GatewayError | None, took_s: float, now: float, listener: Listener) -> None:
        """Take note of an answer, or of why there was none; what is no news changes nothing."""
        if error is not None and error.kind in _NO_NEWS:
            return
        failed = error is not None and error.kind.blame is not Blame.CALLER  # who refuses a request is there
        before = self._checked.get(probing.provider)
        failures = (before.failures if before is not None else 0) + 1 if failed else 0
        was_up = before is None or before.up
        up = failures < probing.failures if was_up else not failed
        since = before.since if before is not None and before.up == up else now
        code = error.kind.code if failed and error is not None else ""
        self._pauses_s[probing.provider] = probing.interval_s
        self._checked[probing.provider] = Checked(
            probing.provider, probing.model, up, failures, code, took_s, now, since
        )
        if up != was_up:
            listener(ProviderHealthChanged(probing.provider, up, code))

    def wait_s(self, provider: str, now: float) -> float | None:
        """Return None for a provider that may be asked; of one that is down, the time until more is known."""
        checked = self._checked.get(provider)
        if checked is None or checked.up:
            return None
        return max(1.0, checked.at + self._pauses_s[provider] - now)

    def keep(self, providers: AbstractSet[str]) -> None:
        """Forget all others: nobody asks them any more."""
        for name in self._checked.keys() - providers:
            del self._checked[name]

    def views(self) -> list[Checked]:
        """Return what is known, by name."""
        return [self._checked[name] for name in sorted(self._checked)]
