"""`wizard cache`: what a running gateway keeps, and forgetting some of it."""

from __future__ import annotations

import argparse

from app.cli.output import print_facts, print_json
from app.cli.remote import Remote, add_remote
from app.cli.verbs import Verbs, add_json, add_verb

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
    add_json(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """
    Show what there is, or clear it.

    Raises:
        CommandError: The gateway refuses.
    """
    remote = Remote.of(given)
    if given.action == "show":
        told = remote.get("/admin/cache")
    else:
        told = remote.send("DELETE", "/admin/cache", query=_chosen(given))
    if given.json:
        print_json(told)
    else:
        print_facts(told)
    return 0


def _chosen(given: argparse.Namespace) -> dict[str, str]:
    found = {name: getattr(given, name) for name in ("model", "prefix", "key") if getattr(given, name)}
    return {**found, "expired": "true"} if given.expired else found
