"""What is known of providers that are asked how they are."""

from __future__ import annotations

import msgspec
import pytest

from app.core.errors import (
    CIRCUIT_OPEN,
    INVALID_REQUEST,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_RATE_LIMITED,
    TIMEOUT_TOTAL,
    GatewayError,
    Kind,
)
from app.core.health import Probing, ProviderHealth
from app.core.signals import ProviderHealthChanged, Signal

PROBING = Probing("box", "small", interval_s=30.0, timeout_s=5.0, stream=False, failures=2)


class Told:
    """A health with what it told."""

    def __init__(self) -> None:
        self.health = ProviderHealth()
        self.signals: list[Signal] = []
        self.now = 0.0

    def asked(self, *kinds: Kind | None) -> None:
        """Take note of answers (None) and failures, ten seconds apart."""
        for kind in kinds:
            self.now += 10.0
            error = None if kind is None else GatewayError(kind, "no")
            self.health.note(PROBING, error, 0.5, self.now, self.signals.append)


@pytest.mark.parametrize("kind", [TARGET_FAILED, TIMEOUT_TOTAL, TARGET_MISCONFIGURED])
def test_down_after_failures_in_a_row(kind: Kind) -> None:
    """So many failures in a row are needed, and one answer brings it back."""
    told = Told()

    told.asked(None, kind, None, kind)
    before = told.health.views()[0]
    told.asked(kind)
    down = told.health.views()[0]
    told.asked(kind, None)
    after = told.health.views()[0]

    assert (before.up, before.failures, before.code) == (True, 1, kind.code)
    assert (down.up, down.failures, down.since, down.at, down.took_s) == (False, 2, 50.0, 50.0, 0.5)
    assert (after.up, after.failures, after.code, after.since) == (True, 0, "", 70.0)
    assert told.signals == [
        ProviderHealthChanged("box", up=False, code=kind.code),
        ProviderHealthChanged("box", up=True, code=""),
    ]


@pytest.mark.parametrize("kind", [CIRCUIT_OPEN, TARGET_RATE_LIMITED])
def test_what_is_no_news(kind: Kind) -> None:
    """A question that was not asked, or came too often, changes nothing."""
    told = Told()

    told.asked(kind)
    unknown = told.health.views()
    told.asked(TARGET_FAILED, kind, TARGET_FAILED)

    assert unknown == []
    assert not told.health.views()[0].up


def test_who_refuses_is_there() -> None:
    """A provider that does not like the question answers it."""
    told = Told()

    told.asked(*[INVALID_REQUEST] * 3)

    assert told.health.views()[0].up


def test_how_long_to_wait() -> None:
    """A provider that is down is left alone until it is asked again; others are not."""
    told = Told()

    told.asked(TARGET_FAILED)
    up = told.health.wait_s("box", told.now)
    told.asked(TARGET_FAILED)

    assert (up, told.health.wait_s("other", told.now)) == (None, None)
    assert told.health.wait_s("box", told.now + 12.0) == 18.0
    assert told.health.wait_s("box", told.now + 1000.0) == 1.0


def test_those_that_nobody_asks_are_forgotten() -> None:
    """After a reload only what is asked still counts."""
    told = Told()
    told.asked(TARGET_FAILED, TARGET_FAILED)
    told.health.note(msgspec.structs.replace(PROBING, provider="a"), None, 0.1, 1.0, told.signals.append)

    both = [view.provider for view in told.health.views()]
    told.health.keep({"a"})

    assert (both, [view.provider for view in told.health.views()]) == (["a", "box"], ["a"])
    assert told.health.wait_s("box", 0.0) is None
