"""One attempt with several keys: which failures are a key's own, and what the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.call import Reply
from app.core.errors import (
    INVALID_REQUEST,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_QUOTA_SPENT,
    TARGET_RATE_LIMITED,
    GatewayError,
    Kind,
)
from app.core.model import Completion
from app.core.provider_keys import COOL_MAX_S, COOL_S, DISABLED_S, Key, KeyPool, KeyState
from app.core.signals import KeySetAside, Signal
from app.providers.keyring import KeyRing
from tests.support.routes import SetClock

ANSWER = Reply(Completion(b"{}"))


def failure(kind: Kind, status: int | None = None, retry_after_s: float | None = None) -> GatewayError:
    """Return what the provider said, as the endpoint raises it."""
    error = GatewayError(kind, "scripted", retry_after_s=retry_after_s).answered_by("acme")
    error.upstream_status = status
    return error


LIMITED = (TARGET_RATE_LIMITED, 429)
UNAUTHORIZED = (TARGET_MISCONFIGURED, 401)
FORBIDDEN = (TARGET_MISCONFIGURED, 403)


class Bench:
    """A ring of keys `k1`, `k2`, ... whose provider answers each key by a script."""

    def __init__(self, count: int = 3) -> None:
        self.clock = SetClock()
        self.pool = KeyPool([Key(f"k{number + 1}") for number in range(count)])
        self.told: list[Signal] = []
        self.ring = KeyRing("acme", self.pool, self.clock, self.told.append)
        self.sent: list[str] = []
        self.says: dict[str, tuple[Any, ...]] = {}

    async def ask(self) -> Reply:
        """Send one attempt."""
        return await self.ring.send(self._answer())

    async def failure(self) -> GatewayError:
        """Send one attempt that must fail."""
        with pytest.raises(GatewayError) as caught:
            await self.ask()
        return caught.value

    def states(self) -> list[KeyState]:
        """Return the states of the keys."""
        return [self.pool[place].state(self.clock.now()) for place in range(3)]

    def _answer(self) -> Callable[[str], Awaitable[Reply]]:
        async def send(key: str) -> Reply:
            self.sent.append(key)
            if key in self.says:
                raise failure(*self.says[key])
            return ANSWER

        return send


@pytest.mark.parametrize(
    ("said", "reason", "pause_s", "state"),
    [
        ((*LIMITED, 7.0), "rate_limited", 7.0, KeyState.COOLING),
        (LIMITED, "rate_limited", COOL_S, KeyState.COOLING),
        ((*LIMITED, 99_999.0), "rate_limited", COOL_MAX_S, KeyState.COOLING),
        ((TARGET_RATE_LIMITED,), "rate_limited", COOL_S, KeyState.COOLING),
        (UNAUTHORIZED, "refused", DISABLED_S, KeyState.DISABLED),
        (FORBIDDEN, "refused", DISABLED_S, KeyState.DISABLED),
        ((TARGET_QUOTA_SPENT, 402), "quota_spent", DISABLED_S, KeyState.DISABLED),
        ((TARGET_QUOTA_SPENT, 429), "quota_spent", DISABLED_S, KeyState.DISABLED),
    ],
)
async def test_a_key_at_fault_is_set_aside_and_the_next_goes_on(
    said: tuple[Any, ...], reason: str, pause_s: float, state: KeyState
) -> None:
    """The same attempt is answered with the next key at once, and the fault is told by the key's position."""
    bench = Bench()
    bench.says["k1"] = said

    replies = [await bench.ask() for _ in range(3)]

    assert replies == [ANSWER] * 3
    assert bench.sent == ["k1", "k2", "k3", "k2"]
    assert bench.states() == [state, KeyState.USABLE, KeyState.USABLE]
    assert bench.told == [KeySetAside("acme", 1, reason, pause_s)]


@pytest.mark.parametrize(
    "said",
    [(TARGET_FAILED, 500), (INVALID_REQUEST, 400), (TARGET_MISCONFIGURED, 400), (TARGET_RATE_LIMITED, 413)],
    ids=["server", "request", "address", "size"],
)
async def test_other_failures_are_not_a_keys_own(said: tuple[Any, ...]) -> None:
    """What a request could have provoked, or the server did, sets no key aside and is not tried with another."""
    bench = Bench()
    bench.says["k1"] = said

    error = await bench.failure()

    assert (error.kind, error.upstream_status) == said
    assert (bench.sent, bench.told) == (["k1"], [])
    assert bench.states() == [KeyState.USABLE] * 3


async def test_a_request_that_every_key_forbids_costs_no_key() -> None:
    """A 403 may be a verdict on the content; only a key that is worse than another is to blame."""
    bench = Bench()
    bench.says = dict.fromkeys(("k1", "k2", "k3"), FORBIDDEN)

    error = await bench.failure()

    assert (error.kind, error.upstream_status) == FORBIDDEN
    assert (bench.sent, bench.told) == (["k1", "k2", "k3"], [])
    assert bench.states() == [KeyState.USABLE] * 3


async def test_when_all_keys_cool_the_caller_learns_when_the_first_returns() -> None:
    """Each key is asked once; afterwards nobody is asked until the first is back."""
    bench = Bench()
    bench.says = {key: (*LIMITED, wait_s) for key, wait_s in (("k1", 30.0), ("k2", 10.0), ("k3", 20.0))}

    answered = await bench.failure()
    bench.clock.time += 4.0
    unasked = await bench.failure()
    bench.clock.time += 6.0
    bench.says.clear()
    await bench.ask()

    assert (answered.kind, answered.retry_after_s, answered.upstream_status) == (TARGET_RATE_LIMITED, 10.0, 429)
    assert (unasked.kind, unasked.retry_after_s, unasked.upstream_status) == (TARGET_RATE_LIMITED, 6.0, None)
    assert (answered.from_upstream, unasked.from_upstream, unasked.provider) == (True, False, "acme")
    assert bench.sent == ["k1", "k2", "k3", "k2"]
    assert len(bench.told) == 3


async def test_a_disabled_key_is_back_once_it_worked() -> None:
    """After an hour it is tried by a request of its turn, and takes part again."""
    bench = Bench(2)
    bench.says["k1"] = UNAUTHORIZED
    await bench.ask()
    bench.says.clear()

    bench.clock.time += DISABLED_S
    for _ in range(4):
        await bench.ask()

    assert bench.sent == ["k1", "k2", "k1", "k2", "k1", "k2"]


async def test_a_fault_is_told_once() -> None:
    """Attempts that were under way with the same key fail as well; one line in the log is enough."""
    bench = Bench(1)

    async def send(_key: str) -> Reply:
        await asyncio.sleep(0)
        raise failure(*LIMITED)

    ends = await asyncio.gather(bench.ring.send(send), bench.ring.send(send), return_exceptions=True)

    assert [type(end) for end in ends] == [GatewayError] * 2
    assert bench.told == [KeySetAside("acme", 1, "rate_limited", COOL_S)]


async def test_no_key_appears_in_what_is_told() -> None:
    """Neither the signal nor the error holds any part of a key."""
    bench = Bench(1)
    bench.says["k1"] = UNAUTHORIZED

    error = await bench.failure()

    assert "k1" not in f"{bench.told}{error}{error.message}{error.suggestion}{bench.ring}"
