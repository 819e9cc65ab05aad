"""The `wizard` command: one module for each of its verbs, listed in `_VERBS`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from app import __version__
from app.cli import (
    bench,
    cache,
    check,
    circuits,
    completion,
    diff,
    doctor,
    explain,
    importing,
    keys,
    models,
    serve,
    sessions,
    stats,
)
from app.cli.verbs import CommandError, Verb
from app.config.load import ConfigError

BAD_CONFIGURATION = 2
FAILED = 1

_VERBS: Final[Sequence[Verb]] = (
    serve,
    check,
    explain,
    diff,
    models,
    keys,
    sessions,
    doctor,
    importing,
    circuits,
    cache,
    stats,
    bench,
    completion,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: the verb's, 1 if it failed, 2 for a wrong configuration or usage."""
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
    except CommandError as error:
        print(f"wizard: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does; Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wizard", description="A self-hosted LLM gateway.")
    parser.add_argument("--version", action="version", version=f"wizard {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for verb in _VERBS:
        verb.add(verbs).set_defaults(module=verb, parser=parser)
    return parser
