"""
Several keys of one provider: whose turn it is, and which are set aside for a while.

Pure: told the time, and told how requests went. What is known of a key belongs to the process, so that a reload that
keeps the key forgets nothing about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final

from app.core.errors import TARGET_MISCONFIGURED, TARGET_QUOTA_SPENT, TARGET_RATE_LIMITED, GatewayError, Kind

COOL_S: Final = 30.0  # for a 429 without Retry-After: the limits of the large providers count by the minute
COOL_MAX_S: Final = 3600.0  # no limit by the minute needs longer, and a mistaken header must not lose a key for days
DISABLED_S: Final = 3600.0  # whoever replaces a key or pays a bill need not think of the gateway
TRIAL_S: Final = 60.0  # between two requests that try a disabled key again
_EARLY_S = 0.005  # a timer may ring a little early; who waited for a key shall find it


class Fault(Enum):
    """What is wrong with a key, as the provider says."""

    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    QUOTA_SPENT = "quota_spent"


class KeyState(Enum):
    """Whether a key takes part: a cooling one returns by itself, a disabled one has to prove itself."""

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
    """One key, and what is known of it."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.fault: Fault | None = None
        self.until = 0.0
        self._next_trial = 0.0
        self._on_trial = False

    def state(self, now: float) -> KeyState:
        """Say whether the key takes part."""
        if self.fault is None or (self.fault is Fault.RATE_LIMITED and now >= self.until - _EARLY_S):
            return KeyState.USABLE
        return KeyState.COOLING if self.fault is Fault.RATE_LIMITED else KeyState.DISABLED

    def take(self, now: float, *, early: bool) -> bool:
        """
        Say whether the next request may use the key.

        A disabled one is tried by one request, once its time is over; `early` does not wait for that, because no other
        key is left.
        """
        if self.state(now) is not KeyState.DISABLED:
            return self.state(now) is KeyState.USABLE
        if now < self._next_trial or (now < self.until and not early):
            return False
        self._next_trial = now + TRIAL_S
        self._on_trial = True
        return True

    def set_aside(self, fault: Fault, pause_s: float, now: float) -> bool:
        """Leave the key out for `pause_s`, and say whether that is news; a disabled key cannot become a cooling one."""
        before = self.state(now)
        if before is KeyState.DISABLED and fault is Fault.RATE_LIMITED:
            return False
        self.fault = fault
        self.until = max(self.until, now + pause_s)
        self._next_trial = now + TRIAL_S
        news = self._on_trial or before is not self.state(now)
        self._on_trial = False
        return news

    def worked(self) -> None:
        """Take note that the provider accepted the key: a disabled one that was on trial is back."""
        if self._on_trial:
            self._on_trial = False
            self.fault = None
            self.until = 0.0


class KeyPool:
    """The keys of one provider, taken in turn; a key is named by its place in the configuration, from 0."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)
        self._turn = 0

    def __getitem__(self, place: int, /) -> Key:
        """Return a key."""
        return self._keys[place]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the keys themselves."""
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
        """Say whether some key takes part."""
        return any(key.state(now) is KeyState.USABLE for key in self._keys)

    def refusal(self, now: float) -> GatewayError:
        """Return the failure of a request when no key is usable."""
        states = [key.state(now) for key in self._keys]
        message = f"All {len(self._keys)} keys of the provider are set aside."
        returns = [key.until - now for key, state in zip(self._keys, states, strict=True) if state is KeyState.COOLING]
        if returns:
            return GatewayError(TARGET_RATE_LIMITED, message, retry_after_s=min(returns))
        last = min(self._keys, key=lambda key: key.until)
        return GatewayError(_KINDS[last.fault or Fault.REFUSED], message)

    def counts(self, now: float) -> dict[KeyState, int]:
        """Return how many keys are in which state."""
        states = [key.state(now) for key in self._keys]
        return {state: states.count(state) for state in KeyState}


class KeyPools:
    """The pools of all providers with several keys. Belongs to the process."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Key] = {}
        self._pools: dict[str, KeyPool] = {}

    def renew(self, secrets: Mapping[str, Sequence[str]]) -> Mapping[str, KeyPool]:
        """Make the pools of a new configuration, by provider; a key that its provider had before keeps its state."""
        self._known = {
            (provider, secret): self._known.get((provider, secret)) or Key(secret)
            for provider, given in secrets.items()
            for secret in given
        }
        self._pools = {
            provider: KeyPool([self._known[provider, secret] for secret in given])
            for provider, given in secrets.items()
        }
        return self._pools

    def counts(self, now: float) -> Iterator[tuple[str, KeyState, int]]:
        """Yield provider, state and number of keys; may be asked from any thread."""
        for provider, pool in self._pools.items():  # never changed, only exchanged
            for state, count in pool.counts(now).items():
                yield provider, state, count
