"""What a verb of the command is: a module with `add` and `run`, named in the table of `app.cli`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol, TypeAlias

import shtab

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

            CommandError: It cannot be done; the command prints why and leaves with 1.
        """
        ...


class CommandError(Exception):
    """A verb cannot do what it was asked for; the text tells people why, and what to do."""

    exit_code = 1


class UsageError(CommandError):
    """What a verb was asked for makes no sense."""

    exit_code = 2


def add_verb(verbs: Verbs, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    """Add a parser with its help and some lines that work."""
    shown = "\n".join(f"  {line}" for line in examples.splitlines())
    return verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Let the verb read a configuration, as `given.config`."""
    action = parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML, TOML or JSON; default $WIZARD_CONFIG, ./config.yaml"
    )
    complete_file(action)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let the verb print for programs, as `given.json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def complete_file(action: argparse.Action) -> None:
    """Let shells complete the argument with file names."""
    action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab looks for it there
