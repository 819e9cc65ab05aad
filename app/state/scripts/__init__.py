"""The decisions that Redis takes, one Lua file each, next to this module."""

from __future__ import annotations

import hashlib
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


def script(*names: str) -> Script:
    """Read the Lua files `names`, in this order, as one script."""
    text = "\n".join(files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in names)
    return Script.of(text)
