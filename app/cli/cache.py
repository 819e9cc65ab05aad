"""`wizard cache`: show or clear the cache of a running gateway."""

from __future__ import annotations

import argparse

from app.cli.output import print_answer
from app.cli.remote import Remote, add_remote
from app.cli.verbs import Verbs, add_verb

_EXAMPLES = """\
wizard cache
wizard cache clear --model fast
wizard cache clear --expired"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `cache`."""
    parser = add_verb(verbs, "cache", "show the cache of a running gateway, or clear it", _EXAMPLES)
    parser.add_argument("action", nargs="?", default="show", choices=("show", "clear"))
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", help="clear answers for this model only")
    which.add_argument("--prefix", help="clear answers whose key begins so only")
    which.add_argument("--key", help="clear one answer only")
    which.add_argument("--expired", action="store_true", help="clear what is too old to be used only")
    add_remote(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Show the cache, or clear it."""
    remote = Remote.of(args)
    if args.action == "show":
        answer = remote.get("/admin/cache")
    else:
        answer = remote.send("DELETE", "/admin/cache", query=_conditions(args))
    print_answer(answer, as_json=args.json)
    return 0


def _conditions(args: argparse.Namespace) -> dict[str, str]:
    conditions = {name: getattr(args, name) for name in ("model", "prefix", "key") if getattr(args, name)}
    return {**conditions, "expired": "true"} if args.expired else conditions
