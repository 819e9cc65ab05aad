"""`wizard stats`: show recent statistics of a running gateway."""

from __future__ import annotations

import argparse

from app.cli.output import print_answer
from app.cli.remote import Remote, add_remote
from app.cli.verbs import Verbs, add_verb

_EXAMPLES = """\
wizard stats
wizard stats --url https://gateway.internal --token $TOKEN --json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `stats`."""
    parser = add_verb(verbs, "stats", "show what a running gateway has done lately", _EXAMPLES)
    add_remote(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the statistics."""
    print_answer(Remote.of(args).get("/admin/stats"), as_json=args.json)
    return 0
