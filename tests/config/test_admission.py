"""The section `admission`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import loaded, problem


def test_it_is_off_by_default(tmp_path: Path) -> None:
    """Nothing is bounded unless somebody says how much the gateway can work on."""
    given = loaded(tmp_path, "providers: {sim: {kind: sim}}").settings.admission

    assert (given.max_in_flight, given.queue_max, given.queue_wait_s, given.adaptive) == (None, 100, 5, False)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("max_in_flight: 0", "a whole number >= 1 and <= 1000000000, or null"),
        ("max_in_flight: yes", "a whole number >= 1 and <= 1000000000, or null"),
        ("queue_max: -1", "a whole number >= 0 and <= 10000"),
        ("queue_max: 10001", "a whole number >= 0 and <= 10000"),
        ("queue_wait_s: 0", "a number > 0 and <= 86400"),
        ("adaptive: sometimes", "true or false"),
    ],
)
def test_what_it_takes(tmp_path: Path, setting: str, expected: str) -> None:
    """A value out of range is named with what would be right."""
    found = problem(tmp_path, f"admission: {{{setting}}}")

    assert (found.path, found.expected) == (f"admission.{setting.partition(':')[0]}", expected)


def test_an_adaptive_limit_needs_a_most(tmp_path: Path) -> None:
    """Without an upper end there is nothing to adapt below."""
    found = problem(tmp_path, "admission: {adaptive: true}")

    assert (found.path, found.value) == ("admission.adaptive", "true")
    assert found.expected == "false, as admission.max_in_flight is null: an adaptive limit moves below that one"
    assert found.suggestion == "set admission.max_in_flight, or remove it"
    assert loaded(tmp_path, "admission: {adaptive: true, max_in_flight: 9}").settings.admission.adaptive
