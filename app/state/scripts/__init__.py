"""
The decisions that Redis takes, one Lua file each, next to this module.

Each stands behind `clock.lua`, and behind what all decisions about its subject begin with: `spend_settle.lua` behind
`spend.lua`.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import msgspec


class Script(msgspec.Struct, frozen=True):
    """A text and the name by which Redis calls it once it was given the text."""

    text: str
    sha1: str

    @classmethod
    def of(cls, text: str) -> Script:
        """Name a text as Redis does."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@cache
def script(name: str) -> Script:
    """Read the decision `name`."""
    subject, _, _ = name.partition("_")
    parts = [files(__package__) / f"{part}.lua" for part in ("clock", subject, name)]
    return Script.of("\n".join([part.read_text(encoding="utf-8") for part in parts if part.is_file()]))


def every() -> list[Script]:
    """Read all decisions."""
    names = [each.name.removesuffix(".lua") for each in files(__package__).iterdir() if each.name.endswith(".lua")]
    return [script(name) for name in names if "_" in name]
