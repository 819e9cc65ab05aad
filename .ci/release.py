"""
The definition of done: everything that has to hold before a version goes out, step by step.

    .venv/bin/python .ci/release.py                    all of it, about two hours on two cores
    .venv/bin/python .ci/release.py --list             what it does
    .venv/bin/python .ci/release.py --only check,docs  some of it

Every step runs, whatever became of those before. The table in the end has them all, those that failed with the last
line that they said; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app import __version__

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
PYTHON = sys.executable


@dataclass(frozen=True)
class Step:
    """One thing that has to hold, and the command that says whether it does."""

    name: str
    text: str
    command: Sequence[str]


def steps() -> Sequence[Step]:
    """Return all steps, the quick ones first."""
    properties = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "hypothesis" in path.read_text()]
    pytest = (PYTHON, "-W", "error", "-m", "pytest", "-q")
    return (
        Step(
            "changelog",
            "the changelog has a section for this version",
            (PYTHON, __file__, "--changelog", str(CHANGELOG)),
        ),
        Step("check", "format, lint, types, layers, dead code, spelling, audit", ("make", "check")),
        Step(
            "docs",
            "made pages are up to date, the site is built without a warning, commands work",
            (*pytest, "tests/docs"),
        ),
        Step("slo", "the objectives are met on this machine", ("make", "slo")),
        Step("test", "the whole suite passes, 95 % of the branches are covered", ("make", "test")),
        Step(
            "properties", "properties hold for a hundred times as many random inputs", (*pytest, *THOROUGH, *properties)
        ),
        Step("fuzz", "ten minutes of fuzzing for each parser find nothing", ("make", "fuzz", "SECONDS=600")),
        Step("clean", "nothing is left uncommitted, new files neither", ("bash", "-c", CLEAN)),
    )


CLEAN = 'left=$(git status --porcelain); echo "$left"; test -z "$left"'
# What make was told for this script is not for the make of a step.
ALONE = ("env", "-u", "ARGS", "-u", "MAKEFLAGS", "-u", "MFLAGS", "-u", "MAKELEVEL")
THOROUGH = ("-p", "tests.support.thorough", "-n", "2", "--timeout", "3600")


def run(wanted: Sequence[Step]) -> int:
    """Run the steps and print what became of each."""
    rows = []
    for step in wanted:
        print(f"=== {step.name}: {step.text}", flush=True)
        began_s = time.monotonic()  # noqa: TID251 - it reports how long people wait
        rows.append((step, problem_of(step), time.monotonic() - began_s))  # noqa: TID251
    print()
    for step, problem, took_s in rows:
        print(f"{'ok  ' if problem is None else 'FAIL'}  {step.name:<11} {took_s:6.0f} s  {step.text}")
        if problem is not None:
            print(f"{'':26}{problem}")
    failed = [step.name for step, problem, _ in rows if problem is not None]
    if failed:
        print(f"\n{len(failed)} of {len(rows)} failed. Again: make release ARGS='--only {','.join(failed)}'")
    return 1 if failed else 0


def problem_of(step: Step) -> str | None:
    """Run a step, show what it says, and return the last line of it if it fails; what make adds tells nothing."""
    last = "it said nothing"
    told, both = subprocess.PIPE, subprocess.STDOUT
    command = (*ALONE, *step.command)
    with subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=both, text=True) as running:  # noqa: S603 - the table above
        for line in running.stdout or ():
            print(line, end="", flush=True)
            if line.strip() and not line.startswith("make"):
                last = line.strip()
    return None if running.returncode == 0 else last


def changelog_problem(text: str, version: str) -> str | None:
    """Say what a changelog lacks for a version: a section with a date and at least one line."""
    found = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(?P<body>.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if found is None:
        return f"there is no section '## [{version}] - YYYY-MM-DD'"
    return None if re.search(r"^- \S", found["body"], re.MULTILINE) else f"the section of {version} is empty"


def main(arguments: Sequence[str]) -> int:
    """Run, list, or look at the changelog."""
    parser = argparse.ArgumentParser(prog="release", description="Check the definition of done.")
    parser.add_argument("--list", action="store_true", help="say what is done")
    parser.add_argument("--only", metavar="STEP,STEP", help="some steps")
    parser.add_argument("--changelog", type=Path, metavar="FILE", help="look at a changelog")
    given = parser.parse_args(arguments)
    if given.changelog is not None:
        problem = changelog_problem(given.changelog.read_text(encoding="utf-8"), __version__)
        print(problem or f"the changelog has a section for {__version__}")
        return 1 if problem else 0
    known = {step.name: step for step in steps()}
    names = known if given.only is None else given.only.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no step {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = [step for name, step in known.items() if name in names]
    if not given.list:
        return run(wanted)
    for step in wanted:
        print(f"{step.name:<11} {step.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
