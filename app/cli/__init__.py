"""The `wizard` command: one module for each of its verbs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app import __version__
from app.cli.check import check
from app.cli.serve import serve
from app.config.load import ConfigError

BAD_CONFIGURATION = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: 0, or 2 for a configuration or usage that is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.print_help()
        return 0
    try:
        if given.verb == "check":
            return check(given.config)
        return serve(given.config, _overrides(given))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wizard", description="A self-hosted LLM gateway.")
    parser.add_argument("--version", action="version", version=f"wizard {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")
    serving = verbs.add_parser("serve", help="start the gateway")
    checking = verbs.add_parser("check", help="validate a configuration and show what it means")
    for verb in (serving, checking):
        verb.add_argument(
            "--config", type=Path, metavar="FILE", help="YAML, TOML or JSON; default $WIZARD_CONFIG, ./config.yaml"
        )
    serving.add_argument("--host", help="address to listen on (server.host)")
    serving.add_argument("--port", help="TCP port to listen on (server.port)")
    serving.add_argument("--workers", help="worker processes (server.workers)")
    return parser


def _overrides(given: argparse.Namespace) -> dict[str, str]:
    """Return the flags as the environment variables that they stand for."""
    flags = {"HOST": given.host, "PORT": given.port, "WORKERS": given.workers}
    return {f"WIZARD_SERVER__{name}": value for name, value in flags.items() if value is not None}
