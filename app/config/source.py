"""The source of a process's configuration, from which it can be read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.config.load import Loaded, load


@dataclass(frozen=True, slots=True)
class Source:
    """
    A configuration that can be read at any time, in any worker process.

    `overrides` are environment variables set by command-line flags, with precedence over the real ones. `found` has
    the lowest precedence: providers discovered on this machine if there was no file.
    """

    path: Path | None
    overrides: Mapping[str, str]
    found: Mapping[str, object]

    def read(self) -> Loaded:
        """
        Read the current configuration.

        Raises:
            ConfigError: With every problem at once.
        """
        return load(self.path, {**os.environ, **self.overrides}, self.found)
