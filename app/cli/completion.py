"""`wizard completion`: print a shell completion script."""

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


def run(args: argparse.Namespace) -> int:
    """Print the completion script for the whole command."""
    print(shtab.complete(args.parser, shell=args.shell))
    return 0
