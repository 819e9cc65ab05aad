"""The gateway's own code keeps the rules of the house."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.architecture import rules

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "app").rglob("*.py"))

# Where catching everything is right, and why: "file::place".
BROAD_CATCHES: Mapping[str, str] = {
    "app/api/hot.py::HotRoute.__call__": "the edge: a bug must reach the client as a 500 of the contract",
    "app/core/outcome.py::conclude": "a finisher that fails must not keep the next one from running",
    "app/core/outcome.py::_bounded": "likewise, for the part of a finisher that waits",
    "app/telemetry/fanout.py::FanOut.__call__": "a listener that fails must not fail the call it listens to",
}


Parsed: TypeAlias = Sequence[tuple[str, str, ast.Module]]


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    """Return each file of the gateway: its name from the root of the repository, its source, its tree."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
    return [(name, source, ast.parse(source)) for name, source in sources.items()]


@pytest.mark.parametrize(
    "rule",
    [
        rules.long_functions,
        rules.long_signatures,
        rules.deep_nesting,
        rules.module_state,
        rules.global_statements,
        rules.late_imports,
    ],
)
def test_keeps_the_rule(rule: Callable[[ast.Module], Iterator[rules.Break]], parsed: Parsed) -> None:
    """No module of the gateway breaks the rule."""
    found = [f"{name}:{broken.line} {broken.what}" for name, _, module in parsed for broken in rule(module)]

    assert not found, "\n".join(found)


def test_files_are_short(parsed: Parsed) -> None:
    """No file of the gateway is longer than 300 lines."""
    found = [f"{name}: {broken.what}" for name, source, module in parsed for broken in rules.long_file(module, source)]

    assert not found, "\n".join(found)


def test_core_stands_alone(parsed: Parsed) -> None:
    """The core imports itself, the standard library and msgspec, and nothing else."""
    allowed = frozenset({"app.core", "msgspec"})
    core = ((name, module) for name, _, module in parsed if name.startswith("app/core/"))

    found = [
        f"{name}:{broken.line} {broken.what}"
        for name, module in core
        for broken in rules.foreign_imports(module, allowed)
    ]

    assert not found, "\n".join(found)


def test_everything_is_caught_only_where_it_may_be(parsed: Parsed) -> None:
    """Catching everything happens in the listed places, and every listed place still does it."""
    found = {
        f"{name}::{broken.place}": f"line {broken.line} {broken.what}"
        for name, _, module in parsed
        for broken in rules.broad_catches(module)
    }

    unlisted = {place: found[place] for place in found.keys() - BROAD_CATCHES.keys()}
    stale = BROAD_CATCHES.keys() - found.keys()

    assert (unlisted, stale) == ({}, set())


def test_there_is_code_to_check() -> None:
    """The rules look at the real package, not at an empty folder."""
    assert ROOT / "app" / "__init__.py" in FILES
