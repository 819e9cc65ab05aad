"""A package with guards, installed for one test: one that works, and others that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.planting import plant

MODULE = """
from app.core.guards.guard import Complaint

NOTHING = None

class Shouting:
    name = "shouting"

    def __init__(self, tools):
        self.least = tools.options.get("least", 5)

    async def check_prompt(self, prompt, ask):
        for passage in prompt.passages:
            if len(passage.text) >= self.least and passage.text.isupper():
                return Complaint("upper_case", passage.path)

    async def check_answer(self, said, prompt, ask):
        return None
"""
ENTRIES = """[wizard.guards]
shouting = planted_guard:Shouting
broken = planted_guard:Missing
nothing = planted_guard:NOTHING
"""


def plant_guards(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the package."""
    plant(folder / "site", "planted_guard", MODULE, ENTRIES)
    monkeypatch.syspath_prepend(folder / "site")
