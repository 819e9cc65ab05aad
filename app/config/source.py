"""Where a process got its configuration from, so that it can read it again."""

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

    `overrides` are environment variables set on the command line; they beat the real ones. `found` lies under
    everything else: what was discovered on this machine when there was no file.
    """

    path: Path | None
    overrides: Mapping[str, str]
    found: Mapping[str, object]

    def read(self) -> Loaded:
        """
        Read it as it is now.

        Raises:
            ConfigError: With every problem at once.
        """
        return load(self.path, {**os.environ, **self.overrides}, self.found)
