"""The measurement of a second worker measures what it says."""

from __future__ import annotations

import pytest

from loadtests.workers import main


def test_a_second_worker_has_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """Real gateways of one and of two workers answer, and connections are found at their workers."""
    code = main(["--rounds", "1", "--seconds", "0.2"])

    told = capsys.readouterr().out
    shares = [float(line.split("|")[2]) for line in told.splitlines() if "share of" in line]
    assert code == 0
    assert len(shares) == 6
    assert all(0.5 <= share <= 1 for share in shares)
    assert "two cores:" in told
