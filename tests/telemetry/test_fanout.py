"""One listener's failure is nobody else's."""

from __future__ import annotations

import logging

import pytest

from app.core.signals import CallEnded, Listener, Signal
from app.telemetry.fanout import FanOut
from tests.telemetry.examples import ENDED, SIGNALS, STARTED


def _broken(_signal: Signal) -> None:
    raise ValueError("a secret prompt")


def test_every_listener_hears_every_signal_in_order() -> None:
    """All listeners get all signals."""
    first: list[Signal] = []
    second: list[Signal] = []
    fan_out = FanOut([first.append, second.append])

    for signal in SIGNALS:
        fan_out(signal)

    assert list(SIGNALS) == first == second


class _Choosy:
    """Hears how calls end, with two ears."""

    def __init__(self) -> None:
        self.heard: list[Signal] = []

    def __call__(self, _signal: Signal) -> None:
        raise AssertionError("its ears are told")

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        return (self.heard.append, self.heard.append) if kind is CallEnded else ()


def test_a_choosy_listener_hears_what_it_chose() -> None:
    """Signals of other types are not told to it, and its ears are told in its stead."""
    choosy = _Choosy()
    everything: list[Signal] = []
    fan_out = FanOut([choosy, everything.append])

    for signal in (STARTED, ENDED, STARTED):
        fan_out(signal)

    assert choosy.heard == [ENDED, ENDED]
    assert everything == [STARTED, ENDED, STARTED]


def test_a_listener_may_come_and_go() -> None:
    """A listener hears what is said while it is there."""
    always: list[Signal] = []
    visitor: list[Signal] = []
    fan_out = FanOut([always.append])

    fan_out(STARTED)
    fan_out.add(visitor.append)
    fan_out(ENDED)
    fan_out.remove(visitor.append)
    fan_out(STARTED)

    assert always == [STARTED, ENDED, STARTED]
    assert visitor == [ENDED]


def test_a_listener_that_raises_stops_neither_the_others_nor_the_caller() -> None:
    """The listeners before and after a broken one hear everything, and its errors are counted."""
    before: list[Signal] = []
    after: list[Signal] = []
    fan_out = FanOut([before.append, _broken, after.append])

    fan_out(STARTED)
    fan_out(ENDED)

    assert [STARTED, ENDED] == before == after
    assert 2 == fan_out.errors


def test_a_failure_is_reported_once_and_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    """The report names the exception's type; the message might quote a caller."""
    fan_out = FanOut([_broken])

    with caplog.at_level(logging.ERROR):
        fan_out(STARTED)
        fan_out(ENDED)

    assert 1 == len(caplog.records)
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert caplog.records[0].exc_info is None


def test_each_type_of_failure_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A second kind of failure is news."""

    def broken_otherwise(_signal: Signal) -> None:
        raise KeyError

    fan_out = FanOut([_broken, broken_otherwise])

    with caplog.at_level(logging.ERROR):
        fan_out(STARTED)

    assert ["ValueError", "KeyError"] == [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]


def test_cancellation_is_not_caught() -> None:
    """What is no `Exception` passes through: it ends a task, not a listener."""

    def interrupted(_signal: Signal) -> None:
        raise KeyboardInterrupt

    fan_out = FanOut([interrupted])

    with pytest.raises(KeyboardInterrupt):
        fan_out(STARTED)

    assert 0 == fan_out.errors
