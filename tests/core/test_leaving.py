"""Which calls go on without their clients, and how many."""

from __future__ import annotations

import pytest

from app.core.leaving import Departure, Departures, LeavingOptions
from app.core.signals import ClientLeft, Signal
from tests.support.calls import a_call, asking

OPTIONS = LeavingOptions({"fast": True, "slow": False, "openai/*": True}, otherwise=False, drain_max=1)


@pytest.mark.parametrize(
    ("model", "drained"),
    [
        ("fast", True),
        ("slow", False),
        ("openai/gpt", True),
        ("openai:gpt", True),
        ("acme/small", False),
    ],
)
def test_routes_decide(model: str, drained: bool) -> None:
    """By their names, also those with a star; everything else follows the general setting."""
    assert OPTIONS.drained(model) is drained


def test_the_bare_star_is_for_what_nothing_else_fits() -> None:
    """As it is for routing."""
    options = LeavingOptions({"*": True, "openai/*": False}, otherwise=False, drain_max=1)

    assert options.drained("anything")
    assert not options.drained("openai/gpt")


class Bench:
    """Calls for the model `fast` that share what is known of departures."""

    def __init__(self) -> None:
        self.told: list[Signal] = []
        self._departures = Departures()

    def call(self, *, asked: bool = True) -> Departure:
        """Return the departure of a call, of which a provider has been asked or not."""
        call = a_call(asking())
        call.journal.attempts = int(asked)
        return Departure(call, OPTIONS, self._departures, self.told.append)


def test_only_so_many_go_on() -> None:
    """The next one finds room once the first has ended."""
    bench = Bench()
    first, second, third = bench.call(), bench.call(), bench.call()

    stays = [first.left(), second.left()]
    second.over()
    stays.append(bench.call().left())
    first.over()
    stays.append(third.left())

    assert [True, False, False, True] == stays
    assert [True, False, False, True] == [told.drained for told in bench.told if isinstance(told, ClientLeft)]


def test_nothing_goes_on_that_has_not_begun() -> None:
    """No provider was asked, so there is no answer to read, and nothing to tell."""
    bench = Bench()

    assert not bench.call(asked=False).left()
    assert [] == bench.told
