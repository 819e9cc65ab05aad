"""Features of later versions cannot be switched on, so that nobody relies on what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.schema import Settings
from app.config.shapes import leaf_locs
from app.config.unbuilt import NOT_BUILT
from tests.config.cases import problem, refused

PREFIX = "not available in this version: only the default is accepted"


@pytest.mark.parametrize(
    ("text", "path", "value", "default"),
    [
        ("auth: {required: true}", "auth.required", "true", "false"),
        ("keys: [{name: a}]", "keys", "(a list of 1)", "[]"),
        ("sessions: {store: sqlite}", "sessions.store", "'sqlite'", "'memory'"),
    ],
)
def test_asking_for_an_unbuilt_feature_is_a_problem(
    tmp_path: Path, text: str, path: str, value: str, default: str
) -> None:
    """Path, value and default are named, and the suggestion says what to do without the feature."""
    found = problem(tmp_path, text)

    assert (path, value, f"{PREFIX} ({default})") == (found.path, found.value, found.expected)
    assert found.suggestion.startswith("remove it")
    assert found.suggestion in NOT_BUILT.values()
    assert found.file == str(tmp_path / "wizard.yaml")


def test_a_variable_cannot_switch_it_on_either(tmp_path: Path) -> None:
    """The check looks at the effective settings, whatever source they come from."""
    found = problem(tmp_path, "", {"WIZARD_AUTH__REQUIRED": "true"})

    assert ("auth.required", "environment variable WIZARD_AUTH__REQUIRED") == (found.path, found.file)


def test_each_unbuilt_setting_is_reported(tmp_path: Path) -> None:
    """A whole section of an unbuilt feature lists every value that differs."""
    found = refused(tmp_path, "sessions: {store: sqlite, ttl_s: 5, path: null}").problems

    assert ["sessions.store", "sessions.ttl_s"] == [each.path for each in found]


def test_wrong_types_are_still_wrong_types(tmp_path: Path) -> None:
    """A value that no version accepts is explained as such."""
    found = problem(tmp_path, "cache: {eviction: lruu}")

    assert ("one of lru, lfu, fifo", "did you mean lru?") == (found.expected, found.suggestion)


def test_the_table_names_real_settings() -> None:
    """No line of the table outlives the setting it closes."""
    known = set(leaf_locs(Settings))

    stale = [path for path in NOT_BUILT if not any(loc[: len(path)] == path for loc in known)]

    assert stale == []
