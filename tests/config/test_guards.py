"""Guards of other packages: found by entry point, imported only when they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.plugins import GUARDS, PluginError
from app.core.guards.guard import GuardTools
from app.core.guards.seen import prompt_of
from tests.config.cases import loaded, problem
from tests.core.guards.test_injection import nobody
from tests.inspection.service import Service
from tests.support.calls import asking
from tests.support.planted_guards import plant_guards
from tests.support.virtual_time import VirtualClock


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with guards."""
    plant_guards(tmp_path, monkeypatch)


def config(name: str) -> str:
    """Write a configuration with a guard."""
    return f"guards: {{custom: [{{name: {name}, policy: flag, options: {{least: 3}}}}]}}"


async def test_an_installed_guard_judges(tmp_path: Path) -> None:
    """It is made with the options of the configuration, and asked like the gateway's own."""
    settings = loaded(tmp_path, config("shouting")).settings
    (given,) = settings.guards.custom

    guard = GUARDS.load(given.name)(GuardTools(given.options, Service(lambda _: {}), VirtualClock()))
    found = [await guard.check_prompt(prompt_of(asking(text)), nobody) for text in ("HEY", "Hey", "NO")]

    assert GUARDS.names == ("broken", "nothing", "shouting")
    assert [complaint and complaint.where for complaint in found] == ["messages[0].content", None, None]


@pytest.mark.parametrize(
    ("name", "expected", "suggestion"),
    [
        ("shoutin", "one of broken, nothing, shouting", "did you mean shouting?"),
        (
            "broken",
            "a guard that works: its entry point planted_guard:Missing cannot be imported",
            "repair or reinstall",
        ),
        ("nothing", "a guard that works: its entry point planted_guard:NOTHING is nothing that", "repair or reinstall"),
    ],
)
def test_guards_that_cannot_be_used(tmp_path: Path, name: str, expected: str, suggestion: str) -> None:
    """What is wrong is told before the gateway starts."""
    found = problem(tmp_path, config(name))

    assert found.path == "guards.custom[0].name"
    assert found.expected.startswith(expected)
    assert suggestion in found.suggestion
    with pytest.raises(PluginError):
        GUARDS.load(name)
