"""`wizard completion`: a script with which a shell completes the command."""

from __future__ import annotations

import argparse

import shtab

from app.cli.verbs import Verbs, add_verb

_EXAMPLES = """\
wizard completion bash > ~/.local/share/bash-completion/completions/wizard
wizard completion zsh > ~/.zfunc/_wizard"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `completion`."""
    parser = add_verb(verbs, "completion", "print a script with which a shell completes this command", _EXAMPLES)
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="which shell")
    return parser


def run(given: argparse.Namespace) -> int:
    """Print the script for the parser that this verb belongs to."""
    print(shtab.complete(given.parser, shell=given.shell))
    return 0
