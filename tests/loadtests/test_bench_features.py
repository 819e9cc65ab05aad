"""The benchmark of single features measures what it says."""

from __future__ import annotations

import msgspec
import pytest

from loadtests.features import FEATURES, main


def test_every_feature_has_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """What is compared really answers, with all features on as without; limits and money cost something."""
    main(["--rounds", "2"])

    found: dict[str, float] = msgspec.json.decode(capsys.readouterr().out)
    assert found.keys() == {*FEATURES, "yardstick"}
    assert 0 < found["bare"]
    assert 0 < found["key, three limits and price"]
