"""Which of a provider's keys is used next, and when one that was set aside is used again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import TARGET_MISCONFIGURED, TARGET_QUOTA_SPENT, TARGET_RATE_LIMITED
from app.core.provider_keys import DISABLED_S, TRIAL_S, Fault, Key, KeyPool, KeyPools, KeyState

NOW = 1_000.0
HOUR = DISABLED_S


def a_pool(count: int = 3) -> KeyPool:
    """Return a pool of usable keys."""
    return KeyPool([Key(f"k{number}") for number in range(count)])


def taken(pool: KeyPool, times: int, now: float = NOW) -> list[int | None]:
    """Take keys and return their places."""
    return [pool.take(now) for _ in range(times)]


def test_keys_take_turns() -> None:
    """Usable keys are used in a circle."""
    assert taken(a_pool(), 5) == [0, 1, 2, 0, 1]


def test_a_request_never_gets_the_same_key_twice() -> None:
    """Keys that a request has tried are passed by, until none is left."""
    pool = a_pool(2)

    assert pool.take(NOW, {0}) == 1
    assert pool.take(NOW, {0, 1}) is None


def test_a_cooling_key_returns_by_itself() -> None:
    """It is left out for exactly its pause, and takes its turn again afterwards."""
    pool = a_pool(2)

    news = pool[0].set_aside(Fault.RATE_LIMITED, 20.0, NOW)

    assert news
    assert taken(pool, 2, NOW + 19.0) == [1, 1]
    assert taken(pool, 2, NOW + 20.0) == [0, 1]


def test_further_refusals_lengthen_the_pause_and_are_no_news() -> None:
    """Requests that were under way when a key was set aside fail as well; the longest pause counts, told once."""
    key = Key("k")

    news = [key.set_aside(Fault.RATE_LIMITED, pause_s, NOW) for pause_s in (20.0, 40.0, 10.0)]

    assert news == [True, False, False]
    assert key.state(NOW + 39.0) is KeyState.COOLING
    assert key.state(NOW + 40.0) is KeyState.USABLE
    assert key.set_aside(Fault.RATE_LIMITED, 20.0, NOW + 41.0)


def test_a_disabled_key_is_tried_by_one_request() -> None:
    """After its hour one request tries it; until that has worked nobody else does, for a minute."""
    pool = a_pool(2)
    pool[0].set_aside(Fault.REFUSED, HOUR, NOW)

    before, after = taken(pool, 2, NOW + HOUR - 1), taken(pool, 3, NOW + HOUR)
    later = taken(pool, 2, NOW + HOUR + TRIAL_S)
    pool[0].worked()

    assert before == [1, 1]
    assert after == [0, 1, 1]
    assert later == [0, 1]
    assert pool[0].state(NOW) is KeyState.USABLE


def test_a_failed_trial_disables_again_and_is_news() -> None:
    """Whoever watches the log hears once an hour that the key is still bad, however many requests were under way."""
    key = Key("k")
    first = [key.set_aside(Fault.REFUSED, HOUR, NOW) for _ in range(3)]

    key.take(NOW + HOUR, early=False)
    again = [key.set_aside(Fault.REFUSED, HOUR, NOW + HOUR) for _ in range(2)]

    assert (first, again) == ([True, False, False], [True, False])
    assert not key.take(NOW + 2 * HOUR - 1, early=False)
    assert key.take(NOW + 2 * HOUR, early=False)


def test_a_disabled_key_does_not_become_a_cooling_one() -> None:
    """A late 429 of an older request is no reason to use a refused key again."""
    key = Key("k")
    key.set_aside(Fault.QUOTA_SPENT, HOUR, NOW)

    assert not key.set_aside(Fault.RATE_LIMITED, 1.0, NOW)
    assert key.state(NOW + 2.0) is KeyState.DISABLED


def test_success_means_nothing_for_a_key_that_is_not_on_trial() -> None:
    """An answer to an older request does not end a pause."""
    key = Key("k")
    key.set_aside(Fault.RATE_LIMITED, 20.0, NOW)

    key.worked()

    assert key.state(NOW) is KeyState.COOLING


def test_the_last_resort_is_tried_every_minute() -> None:
    """If no other key is left, disabled ones are tried once a minute: their refusal may have been a passing fault."""
    pool = a_pool(2)
    for place in (0, 1):
        pool[place].set_aside(Fault.REFUSED, HOUR, NOW)

    at_once, later = taken(pool, 1, NOW + 1), taken(pool, 3, NOW + TRIAL_S)

    assert at_once == [None]
    assert later == [0, 1, None]


def test_no_key_is_a_rate_limit_while_some_key_cools() -> None:
    """The caller is told when the first of the cooling keys returns."""
    pool = a_pool()
    pool[0].set_aside(Fault.REFUSED, HOUR, NOW)
    pool[1].set_aside(Fault.RATE_LIMITED, 30.0, NOW)

    usable = pool.usable(NOW)
    pool[2].set_aside(Fault.RATE_LIMITED, 20.0, NOW)
    error = pool.refusal(NOW + 5.0)

    assert (usable, pool.usable(NOW)) == (True, False)
    assert (error.kind, error.retry_after_s) == (TARGET_RATE_LIMITED, 15.0)
    assert error.message == "All 3 keys of the provider are set aside."


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault.REFUSED, TARGET_MISCONFIGURED), (Fault.QUOTA_SPENT, TARGET_QUOTA_SPENT)]
)
def test_no_key_is_the_operators_business_when_all_are_disabled(fault: Fault, kind: object) -> None:
    """Waiting does not help; the error says what has to be mended."""
    pool = a_pool(1)
    pool[0].set_aside(fault, HOUR, NOW)

    error = pool.refusal(NOW)

    assert (error.kind, error.retry_after_s) == (kind, None)


def test_a_reload_remembers_the_keys_it_keeps() -> None:
    """A key's state follows the key through additions and new orders; the same text at another provider is another."""
    pools = KeyPools()
    pools.renew({"acme": ["a", "b"]})["acme"][1].set_aside(Fault.RATE_LIMITED, 20.0, NOW)

    renewed = pools.renew({"acme": ["b", "c"], "box": ["b", "d"]})

    assert [renewed[name][place].state(NOW) for name in ("acme", "box") for place in (0, 1)] == [
        KeyState.COOLING,
        *[KeyState.USABLE] * 3,
    ]


def test_keys_are_counted_by_state() -> None:
    """Every state has a number, also zero; providers that are gone have none."""
    pools = KeyPools()
    pools.renew({"old": ["a", "b"]})
    pool = pools.renew({"acme": ["a", "b", "c"]})["acme"]
    pool[0].set_aside(Fault.RATE_LIMITED, 20.0, NOW)

    counts = list(pools.counts(NOW))

    assert counts == [("acme", KeyState.USABLE, 2), ("acme", KeyState.COOLING, 1), ("acme", KeyState.DISABLED, 0)]


events = st.tuples(st.floats(0.0, 4_000.0), st.integers(0, 2), st.sampled_from([*Fault, None]), st.floats(0.0, 3_600.0))


@given(st.lists(events, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_pool_never_offers_a_cooling_key_and_never_forgets_one(steps: list[tuple[float, int, Fault, float]]) -> None:
    """Whatever happens, no cooling key is taken, a pool without a key says why, and in the end all come back."""
    pool, now = a_pool(), NOW
    for passed, place, fault, pause_s in steps:
        now += passed
        if fault is None:
            pool[place].worked()
        else:
            pool[place].set_aside(fault, pause_s, now)

        found = pool.take(now)

        if found is None:
            assert not pool.usable(now)
        else:
            assert pool[found].state(now) is not KeyState.COOLING

    now += 2 * HOUR
    back = {pool.take(now, tried) for tried in ((), (0,), (1,), (0, 1), (0, 2), (1, 2))}
    assert back >= {0, 1, 2}
