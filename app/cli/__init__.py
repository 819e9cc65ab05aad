"""The `wizard` command line: one module per subcommand (verb), listed in `_VERBS`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final

from app import __version__
from app.cli.verbs import CommandError, Verb
from app.core.configuration import ConfigError

BAD_CONFIGURATION = 2
FAILED = 1

# The verbs by name, in the order of the help text. Only the module of the verb that runs is imported: a server does
# not need the clients and the load generator of the others.
_VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "serve": "app.cli.serve",
        "check": "app.cli.check",
        "explain": "app.cli.explain",
        "diff": "app.cli.diff",
        "models": "app.cli.models",
        "keys": "app.cli.keys",
        "sessions": "app.cli.sessions",
        "doctor": "app.cli.doctor",
        "import": "app.cli.importing",
        "circuits": "app.cli.circuits",
        "cache": "app.cli.cache",
        "stats": "app.cli.stats",
        "bench": "app.cli.bench",
        "completion": "app.cli.completion",
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: the verb's, 1 if it failed, 2 for a wrong configuration or usage."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(words)
    args = parser.parse_args(words)
    if args.verb is None:
        parser.print_help()
        return 0
    verb: Verb = args.module
    try:
        return verb.run(args)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIGURATION
    except CommandError as error:
        print(f"wizard: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader has gone, as with `head`; without this, Python reports it again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wizard", description="A self-hosted LLM gateway.")
    parser.add_argument("--version", action="version", version=f"wizard {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    for name in _needed_verbs(words):
        verb: Verb = import_module(_VERBS[name])  # the module implements `Verb`
        verb.add(verbs).set_defaults(module=verb, parser=parser)
    return parser


def _needed_verbs(words: Sequence[str]) -> Sequence[str]:
    """Return the verb that `words` begins with, or all verbs, for help and error messages."""
    first = words[0] if words else ""
    return [first] if first in _VERBS and first != "completion" else [*_VERBS]  # completion needs all of them
