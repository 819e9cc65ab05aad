"""The origin of each value of a configuration, for messages that name the file or the variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.config.environment import plain, variable_name
from app.config.trees import Loc, Tree, contains


@dataclass(frozen=True, slots=True)
class Origins:
    """The settings from the environment, and those from the file (or the embedded default) called `label`."""

    environment: Tree
    written: Tree
    names: Mapping[str, str]  # real names of all environment variables, by their plain form
    label: str

    def of(self, loc: Loc) -> str:
        """Return the origin of the value at `loc`, or of what surrounds it if it is missing."""
        for depth in range(len(loc), 0, -1):
            if contains(self.environment, loc[:depth]):
                return self._variable(loc[:depth])
            if contains(self.written, loc[:depth]):
                break
        return self.label

    def _variable(self, loc: Loc) -> str:
        candidates = (variable_name(loc[:depth]) for depth in range(len(loc), 0, -1))
        exact = next((self.names[name] for name in map(plain, candidates) if name in self.names), None)
        return f"environment variable {exact}" if exact else f"environment variables {variable_name(loc)}__…"
