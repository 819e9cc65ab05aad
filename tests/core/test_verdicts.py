"""What the ending of a call says about its target."""

from __future__ import annotations

import asyncio

import pytest

from app.core.circuits import Verdict, verdict_of, wished_s
from app.core.errors import KINDS, Blame, GatewayError, Kind
from app.core.outcome import Outcome


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_only_the_targets_own_fault_is_a_failure(kind: Kind) -> None:
    """Each row of the error table is judged by its blame; a rate limit is the key's matter."""
    expected = Verdict.FAILED if kind.blame is Blame.TARGET and kind.code != "target_rate_limited" else Verdict.IGNORED

    assert expected is verdict_of(Outcome.of(GatewayError(kind, "x")))


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), ValueError("a bug")])
def test_who_left_and_what_is_a_bug_blame_nobody(error: BaseException) -> None:
    """The target did nothing wrong."""
    assert Verdict.IGNORED is verdict_of(Outcome.of(error))


def test_a_complete_answer_is_good() -> None:
    """Whatever it says."""
    assert Verdict.OK is verdict_of(Outcome.of(None))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (None, 0.0),
        (ValueError("x"), 0.0),
        (GatewayError(KINDS[0], "x"), 0.0),
        (GatewayError(KINDS[0], "x", retry_after_s=2.5), 2.5),
    ],
)
def test_a_wish_to_be_left_alone_is_taken_from_the_error(error: Exception | None, seconds: float) -> None:
    """Nobody wishes anything by default."""
    assert seconds == wished_s(Outcome.of(error))
