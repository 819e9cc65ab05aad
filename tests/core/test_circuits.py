"""What is known of circuits without asking."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.circuits import Resting
from app.core.signals import CallRefused, CircuitChanged

SMALL = Target("acme", "small")


@pytest.mark.parametrize(("now", "fit"), [("open", False), ("half_open", False), ("closed", True)])
def test_a_target_is_fit_while_its_circuit_is_closed(now: str, fit: bool) -> None:
    """The last change of a circuit decides."""
    resting = Resting()

    for state in ("open", now):
        resting(CircuitChanged("acme", "small", "closed", state, "failures"))

    assert resting.fit(SMALL) is fit


def test_targets_never_heard_of_are_fit() -> None:
    """Other targets and other signals change nothing."""
    resting = Resting()

    resting(CircuitChanged("acme", "large", "closed", "open", "failures"))
    resting(CallRefused("req_1", "chat", 400, "invalid_json"))

    assert resting.fit(SMALL)


def test_nobody_tells_it_of_anything_else() -> None:
    """Calls come and go by the thousand; their signals never reach it."""
    resting = Resting()

    assert resting.ears(CircuitChanged) == (resting,)
    assert resting.ears(CallRefused) == ()
