"""The benchmark of the cache measures what it says."""

from __future__ import annotations

import msgspec
import pytest

from loadtests.cache import main


def test_a_hit_costs_less_than_a_miss(capsys: pytest.CaptureFixture[str]) -> None:
    """Each way has a figure, and the cheapest is the stored answer."""
    main(["--rounds", "1"])

    found: dict[str, float] = msgspec.json.decode(capsys.readouterr().out)
    assert found.keys() == {
        f"{name}{kind}" for name in ("relay", "miss", "miss_alone", "hit") for kind in ("", "_stream")
    }
    assert 0 < found["hit"] < found["miss"]
    assert 0 < found["hit_stream"] < found["miss_stream"]
