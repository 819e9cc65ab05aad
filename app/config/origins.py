"""Where each value of a configuration comes from, for messages that send the reader to the right place."""

from __future__ import annotations

from dataclasses import dataclass

from app.config.environment import variable_name
from app.config.trees import Loc, Tree, contains


@dataclass(frozen=True, slots=True)
class Origins:
    """The environment, and below it the file (or the embedded default) called `label`."""

    environment: Tree
    written: Tree
    names: frozenset[str]  # of all environment variables, in capitals
    label: str

    def of(self, loc: Loc) -> str:
        """Name the place of the value at `loc`, or of what surrounds it where it is missing."""
        for depth in range(len(loc), 0, -1):
            if contains(self.environment, loc[:depth]):
                return self._variable(loc[:depth])
            if contains(self.written, loc[:depth]):
                break
        return self.label

    def _variable(self, loc: Loc) -> str:
        candidates = (variable_name(loc[:depth]) for depth in range(len(loc), 0, -1))
        exact = next((name for name in candidates if name in self.names), None)
        return f"environment variable {exact}" if exact else f"environment variables {variable_name(loc)}__…"
