"""
Rotate several API keys of a provider, and set aside those that the provider rejects or rate-limits.

Pure: callers pass the time and the outcome of requests. The state of a key belongs to the process, so that it survives
reloads of the configuration that keep the key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final

from app.core.errors import TARGET_MISCONFIGURED, TARGET_QUOTA_SPENT, TARGET_RATE_LIMITED, GatewayError, Kind

COOL_S: Final = 30.0  # after a 429 without Retry-After: the limits of large providers are per minute
COOL_MAX_S: Final = 3600.0  # enough for limits per minute; a wrong header must not disable a key for days
DISABLED_S: Final = 3600.0  # then the key is retried, so replacing it or paying a bill needs no action at the gateway
TRIAL_S: Final = 60.0  # between two requests that retry a disabled key
_EARLY_S = 0.005  # timers may fire slightly early; a request that waited for a key must then get it


class Fault(Enum):
    """Why a key is set aside, according to the provider's error."""

    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    QUOTA_SPENT = "quota_spent"


class KeyState(Enum):
    """Whether a key is used: a cooling one is again after a pause, a disabled one after a successful trial."""

    USABLE = "usable"
    COOLING = "cooling"
    DISABLED = "disabled"


_KINDS: Final[Mapping[Fault, Kind]] = MappingProxyType(
    {
        Fault.RATE_LIMITED: TARGET_RATE_LIMITED,
        Fault.REFUSED: TARGET_MISCONFIGURED,
        Fault.QUOTA_SPENT: TARGET_QUOTA_SPENT,
    }
)


class Key:
    """One API key and its state."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.fault: Fault | None = None
        self.until = 0.0
        self._next_trial = 0.0
        self._on_trial = False

    def state(self, now: float) -> KeyState:
        """Return the state at time `now`."""
        if self.fault is None or (self.fault is Fault.RATE_LIMITED and now >= self.until - _EARLY_S):
            return KeyState.USABLE
        return KeyState.COOLING if self.fault is Fault.RATE_LIMITED else KeyState.DISABLED

    def take(self, now: float, *, early: bool) -> bool:
        """
        Return whether the next request may use the key.

        A disabled key is tried by one request per `TRIAL_S`, once its pause is over; `early` skips the pause, for when
        no other key is left.
        """
        if self.state(now) is not KeyState.DISABLED:
            return self.state(now) is KeyState.USABLE
        if now < self._next_trial or (now < self.until and not early):
            return False
        self._next_trial = now + TRIAL_S
        self._on_trial = True
        return True

    def set_aside(self, fault: Fault, pause_s: float, now: float) -> bool:
        """
        Set the key aside for `pause_s`, and return whether that is news: the state changed, or a trial failed.

        A disabled key cannot become a cooling one.
        """
        before = self.state(now)
        if before is KeyState.DISABLED and fault is Fault.RATE_LIMITED:
            return False
        self.fault = fault
        self.until = max(self.until, now + pause_s)
        self._next_trial = now + TRIAL_S
        is_news = self._on_trial or before is not self.state(now)
        self._on_trial = False
        return is_news

    def worked(self) -> None:
        """Record that the provider accepted the key, which enables a key on trial again."""
        if self._on_trial:
            self._on_trial = False
            self.fault = None
            self.until = 0.0


class KeyPool:
    """The keys of one provider, used round-robin; `place` is a key's index in the configuration, from 0."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        self._turn = 0

    def __getitem__(self, place: int, /) -> Key:
        """Return the key at `place`."""
        return self._keys[place]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the secrets of all keys."""
        return tuple(key.secret for key in self._keys)

    def take(self, now: float, tried: Collection[int] = ()) -> int | None:
        """Return the place of the next usable key that is not among `tried`; None if there is none."""
        for early in (False, True):
            for step in range(len(self._keys)):
                place = (self._turn + step) % len(self._keys)
                if place not in tried and self._keys[place].take(now, early=early):
                    self._turn = place + 1
                    return place
        return None

    def usable(self, now: float) -> bool:
        """Return whether at least one key is usable."""
        return any(key.state(now) is KeyState.USABLE for key in self._keys)

    def refusal(self, now: float) -> GatewayError:
        """Return the error of a request when no key is usable."""
        states = [key.state(now) for key in self._keys]
        message = f"All {len(self._keys)} keys of the provider are set aside."
        returns = [key.until - now for key, state in zip(self._keys, states, strict=True) if state is KeyState.COOLING]
        if returns:
            return GatewayError(TARGET_RATE_LIMITED, message, retry_after_s=min(returns))
        last = min(self._keys, key=lambda key: key.until)
        return GatewayError(_KINDS[last.fault or Fault.REFUSED], message)

    def counts(self, now: float) -> dict[KeyState, int]:
        """Return the number of keys by state."""
        states = [key.state(now) for key in self._keys]
        return {state: states.count(state) for state in KeyState}


class KeyPools:
    """The pools of all providers with several keys. Lives as long as the process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Key] = {}
        self._pools: dict[str, KeyPool] = {}

    def renew(self, secrets: Mapping[str, Sequence[str]]) -> Mapping[str, KeyPool]:
        """Create the pools of a new configuration, by provider; a key that its provider already had keeps its state."""
        self._known = {
            (provider, secret): self._known.get((provider, secret)) or Key(secret)
            for provider, own_secrets in secrets.items()
            for secret in own_secrets
        }
        self._pools = {
            provider: KeyPool([self._known[provider, secret] for secret in own_secrets])
            for provider, own_secrets in secrets.items()
        }
        return self._pools

    def counts(self, now: float) -> Iterator[tuple[str, KeyState, int]]:
        """Yield provider, state and number of keys. Thread-safe."""
        for provider, pool in self._pools.items():  # this dict is only ever replaced, never modified
            for state, count in pool.counts(now).items():
                yield provider, state, count
