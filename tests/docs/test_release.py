"""The definition of done, as `make release` checks it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__
from tests.support.gateway import LIMIT_S

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / ".ci" / "release.py"


def released(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [sys.executable, str(RELEASE), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def test_every_part_of_the_definition_is_a_step() -> None:
    """Changelog, static checks, documents, the suite with its coverage, properties, objectives, a clean tree."""
    done = released("--list")

    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert (done.returncode, names) == (0, ["changelog", "check", "docs", "slo", "test", "properties", "fuzz", "clean"])


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (f"# Changelog\n\n## [{__version__}] - 2026-12-01\n\n### Added\n\n- A thing.\n", 0, "has a section"),
        (f"# Changelog\n\n## [{__version__}] - 2026-12-01\n\n## [0.0.1] - 2026-01-01\n\n- Old.\n", 1, "is empty"),
        ("# Changelog\n\n## [Unreleased]\n\n- A thing.\n", 1, "there is no section"),
    ],
)
def test_the_changelog_has_to_tell_of_the_version(tmp_path: Path, text: str, code: int, words: str) -> None:
    """A dated section with at least one line."""
    file = tmp_path / "CHANGELOG.md"
    file.write_text(text, encoding="utf-8")

    done = released("--changelog", str(file))

    assert (done.returncode, words in done.stdout) == (code, True)


def test_a_step_that_fails_is_told_and_ends_with_1() -> None:
    """The table has every step that ran, with why it failed, and how to run those again."""
    done = released("--only", "changelog")

    good = f"## [{__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    table = done.stdout.partition("\n\n")[2].splitlines()
    assert done.returncode == (0 if good else 1)
    assert table[0].startswith("ok  " if good else "FAIL")
    if not good:
        assert "there is no section" in table[1]
        assert "--only changelog" in table[-1]


def test_a_step_that_is_not_there_is_no_success() -> None:
    """A slip of the pen checks nothing, and says so."""
    done = released("--only", "chanelog")

    assert (done.returncode, "there is no step chanelog" in done.stderr) == (2, True)


def test_properties_are_tried_more_often() -> None:
    """The plugin changes how many inputs a property is tried with."""
    asking = "from hypothesis import settings; import tests.support.thorough; print(settings().max_examples)"

    done = subprocess.run(
        [sys.executable, "-c", asking], cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )

    assert done.stdout.strip() == "10000"


def test_a_step_does_not_get_the_arguments_of_the_release() -> None:
    """Else `make release ARGS="--only slo"` would hand `--only slo` on to `make slo`."""
    script = (
        "import sys; sys.path.insert(0, '.ci'); from release import Step, problem_of; "
        "print(problem_of(Step('a', 'b', ('sh', '-c', 'echo [$ARGS$MAKEFLAGS]; false'))))"
    )
    given = {**os.environ, "ARGS": "--only slo", "MAKEFLAGS": "-- ARGS=--only\\ slo"}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stdout.splitlines() == ["[]", "[]"]
