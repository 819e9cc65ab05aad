"""The `wizard` command: one module for each of its verbs, listed in `_VERBS`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from app import __version__
from app.cli import check, keys, models, serve, sessions
from app.cli.verbs import Verb
from app.config.load import ConfigError

BAD_CONFIGURATION = 2

_VERBS: Final[Sequence[Verb]] = (serve, check, models, keys, sessions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: 0, or 2 for a configuration or usage that is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.print_help()
        return 0
    verb: Verb = given.module
    try:
        return verb.run(given)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wizard", description="A self-hosted LLM gateway.")
    parser.add_argument("--version", action="version", version=f"wizard {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for verb in _VERBS:
        verb.add(verbs).set_defaults(module=verb)
    return parser
