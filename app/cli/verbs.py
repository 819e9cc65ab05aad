"""The interface of a verb: a module with `add` and `run`, listed in the table of `app.cli`; and shared flags."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol, TypeAlias

import shtab

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name for it


class Verb(Protocol):
    """One verb; modules implement it."""

    def add(self, verbs: Verbs) -> argparse.ArgumentParser:
        """Add the verb's parser, with its flags."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """
        Run the verb, and return the exit code.

        Raises:
            ConfigError: The configuration is invalid; the command prints it and exits with 2.

            CommandError: The verb failed; the command prints why and exits with the error's `exit_code`.
        """
        ...


class CommandError(Exception):
    """A verb failed; the message says why, and what to do."""

    exit_code = 1


class UsageError(CommandError):
    """The arguments of a verb are invalid."""

    exit_code = 2


def add_verb(verbs: Verbs, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    """Add a parser with its help text and examples."""
    shown = "\n".join(f"  {line}" for line in examples.splitlines())
    return verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names a configuration, as `args.config`."""
    action = parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML, TOML or JSON; default $WIZARD_CONFIG, ./config.yaml"
    )
    complete_file(action)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the flag for JSON output, as `args.json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def complete_file(action: argparse.Action) -> None:
    """Let shells complete the argument with file names."""
    action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab reads this attribute
