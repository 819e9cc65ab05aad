"""What a verb of the command is: a module with `add` and `run`, named in the table of `app.cli`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol, TypeAlias

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name for it


class Verb(Protocol):
    """One verb; a module is one."""

    def add(self, verbs: Verbs) -> argparse.ArgumentParser:
        """Add the verb's own parser to those of the others, with its flags."""
        ...

    def run(self, given: argparse.Namespace) -> int:
        """
        Do it, and return the exit code.

        Raises:
            ConfigError: The configuration is wrong; the command prints it and leaves with 2.
        """
        ...


def add_config(parser: argparse.ArgumentParser) -> None:
    """Let the verb read a configuration, as `given.config`."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML, TOML or JSON; default $WIZARD_CONFIG, ./config.yaml"
    )
