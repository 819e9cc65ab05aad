"""Requests that come back are known by the mark that they were sent with."""

from __future__ import annotations

import pytest

from app.core.errors import LOOP_DETECTED, GatewayError
from app.core.loop_detection import PASSES_MAX, Loop

MARK = "0123456789abcdef"
MINE, OTHER = f"1.1 wizard-{MARK}", "1.1 wizard-fedcba9876543210"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", MINE),
        (OTHER, f"{OTHER}, {MINE}"),
        (f"{OTHER},  {OTHER}", f"{OTHER}, {OTHER}, {MINE}"),
        ("nonsense\r\nx: y", MINE),
        (f"1.1 proxy.example (nginx), {OTHER}", f"{OTHER}, {MINE}"),
    ],
)
def test_the_own_mark_is_added_to_those_of_others(given: str, sent: str) -> None:
    """What names no gateway of this kind is not passed on."""
    assert Loop(MARK).passed(given) == sent


@pytest.mark.parametrize(("given", "passes_max"), [(MINE, 1), (f"{OTHER}, {MINE}, {OTHER}", 1), (f"{MINE}, {MINE}", 2)])
def test_what_has_passed_is_refused(given: str, passes_max: int) -> None:
    """As often as is allowed, and no more."""
    with pytest.raises(GatewayError) as caught:
        Loop(MARK, passes_max).passed(given)

    assert caught.value.kind is LOOP_DETECTED


def test_what_may_pass_again_does() -> None:
    """An operator may want it to."""
    assert Loop(MARK, 2).passed(MINE) == f"{MINE}, {MINE}"


def test_chains_end() -> None:
    """Also a circle of gateways of which each is configured anew all the time."""
    with pytest.raises(GatewayError):
        Loop(MARK).passed(", ".join([OTHER] * PASSES_MAX))
