"""
A short run of every fuzz target: no broken input is more than refused, and none makes more work than its size.

`make fuzz` looks much longer, and where the code leads it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutating import mutants
from tests.fuzz.targets.all import TARGETS
from tests.fuzz.targets.target import Target
from tests.fuzz.work import lines_for

FINDINGS = Path(__file__).with_name("findings")
COUNTS = {"configuration": 60, "redactor": 500, "guard": 500}
COUNT = 1500
FEW, TIMES = 200, 4
SLACK = 2  # on what is four times as much, for what is looked at in blocks; the square of four is far beyond that
START_LINES = 3000  # what is done once, whatever the size

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@pytest.fixture(autouse=True)
def _silence(caplog: pytest.LogCaptureFixture) -> None:
    """Let uvicorn not tell of every refusal."""
    caplog.set_level(logging.CRITICAL, "uvicorn.error")


@each_target
def test_what_is_sound_is_taken(target: Target) -> None:
    """The seeds are what the parser is for."""
    for seed in target.seeds:
        target.one(seed)


@each_target
def test_what_is_broken_is_no_more_than_refused(target: Target) -> None:
    """Inputs that are nearly right; always the same ones, so that a failure can be repeated."""
    for mutant in mutants(target.seeds, COUNTS.get(target.name, COUNT), Random(target.name)):  # noqa: S311 - no secret
        try:
            target.one(mutant)
        except Exception as error:
            error.add_note(f"the input was {mutant!r}")
            raise


@pytest.mark.parametrize("path", sorted(FINDINGS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_does_not_return(path: Path) -> None:
    """Every input that a fuzzer has broken something with."""
    TARGETS[path.parent.name].one(path.read_bytes())


@pytest.mark.parametrize(
    ("target", "index"),
    [
        pytest.param(target, index, id=f"{target.name}-{index}")
        for target in TARGETS.values()
        for index in range(len(target.growing))
    ],
)
def test_work_grows_with_the_size_and_no_faster(target: Target, index: int) -> None:
    """Four times as much of what an attacker would repeat makes not much more than four times the work."""
    target.one(target.grown(index, FEW))  # whatever is made once is made

    few = lines_for(lambda: target.one(target.grown(index, FEW)))
    many = lines_for(lambda: target.one(target.grown(index, FEW * TIMES)))

    assert many <= few * TIMES * SLACK + START_LINES
