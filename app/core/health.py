"""What is known of providers that are asked now and then only to find out whether they answer. No I/O."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final, Protocol

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

    `failures` in a row; `code` is that of the last one, empty after an answer. `at`, `since` (of `up`) and `due`
    (when it is asked again) are seconds of the gateway's clock.
    """

    provider: str
    model: str
    up: bool
    failures: int
    code: str
    took_s: float
    at: float
    since: float
    due: float


class Probing(msgspec.Struct, frozen=True):
    """How one provider is asked: which model, how often, and after how many failures in a row it is down."""

    provider: str
    model: str
    interval_s: float
    timeout_s: float
    stream: bool
    failures: int


class Heard(msgspec.Struct, frozen=True):
    """What another process heard of a provider; as in `Checked`."""

    model: str
    up: bool
    failures: int
    code: str
    took_s: float


class Rota(Protocol):
    """Whose turn it is to ask, of all processes that serve the same callers."""

    def pause_s(self, probing: Probing) -> float:
        """Return how long to wait before it may be one's turn again."""

    async def mine(self, probing: Probing) -> bool:
        """Say whether this process is to ask now."""

    async def tell(self, probing: Probing, checked: Checked) -> None:
        """Let the others know what was heard."""

    async def heard(self, probing: Probing) -> Heard | None:
        """Return what others heard, if anything."""


class Alone:
    """Nobody else can be reached: it is always one's own turn."""

    def pause_s(self, probing: Probing) -> float:
        """Return the interval."""
        return probing.interval_s

    async def mine(self, probing: Probing) -> bool:  # noqa: ARG002 - the port's
        """Always ask."""
        return True

    async def tell(self, probing: Probing, checked: Checked) -> None:
        """Tell nobody."""

    async def heard(self, probing: Probing) -> Heard | None:  # noqa: ARG002 - the port's
        """Hear nothing."""
        return None


class ProviderHealth:
    """Remembers how each provider did. Outlives configurations."""

    def __init__(self) -> None:
        self._checked: dict[str, Checked] = {}

    def note(self, probing: Probing, error: GatewayError | None, took_s: float, now: float, listener: Listener) -> None:
        """Take note of an answer, or of why there was none; what is no news changes nothing."""
        if error is not None and error.kind in _NO_NEWS:
            return
        failed = error is not None and error.kind.blame is not Blame.CALLER  # who refuses a request is there
        before = self._checked.get(probing.provider)
        failures = (before.failures if before is not None else 0) + 1 if failed else 0
        up = failures < probing.failures if before is None or before.up else not failed
        code = error.kind.code if failed and error is not None else ""
        self.adopt(probing, Heard(probing.model, up, failures, code, took_s), now, listener)

    def adopt(self, probing: Probing, heard: Heard, now: float, listener: Listener) -> None:
        """Go by what was heard of a provider, here or elsewhere."""
        name = probing.provider
        before = self._checked.get(name)
        since = before.since if before is not None and before.up == heard.up else now
        self._checked[name] = Checked(
            provider=name,
            model=heard.model,
            up=heard.up,
            failures=heard.failures,
            code=heard.code,
            took_s=heard.took_s,
            at=now,
            since=since,
            due=now + probing.interval_s,
        )
        if heard.up != (before is None or before.up):
            listener(ProviderHealthChanged(name, heard.up, heard.code))

    def of(self, provider: str) -> Checked | None:
        """Return what is known of one provider."""
        return self._checked.get(provider)

    def wait_s(self, provider: str, now: float) -> float | None:
        """Return None for a provider that may be asked; of one that is down, the time until more is known."""
        checked = self._checked.get(provider)
        if checked is None or checked.up:
            return None
        return max(1.0, checked.due - now)

    def keep(self, providers: AbstractSet[str]) -> None:
        """Forget all others: nobody asks them any more."""
        for name in self._checked.keys() - providers:
            del self._checked[name]

    def views(self) -> list[Checked]:
        """Return what is known, by name."""
        return [self._checked[name] for name in sorted(self._checked)]
