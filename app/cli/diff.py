"""`wizard diff`: compare the effect of two configurations."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli.output import Colour, painted, print_json
from app.cli.verbs import Verbs, add_json, add_verb, complete_file
from app.config.diff import changes
from app.config.load import load
from app.core.configuration import Change

DIFFERENT = 1
_EXAMPLES = """\
wizard diff config.yaml config.new.yaml
wizard diff <(git show HEAD~1:config.yaml) config.yaml --json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `diff`."""
    parser = add_verb(verbs, "diff", "compare the effect of two configurations, secrets hidden", _EXAMPLES)
    complete_file(parser.add_argument("old", type=Path, metavar="OLD", help="the configuration before"))
    complete_file(parser.add_argument("new", type=Path, metavar="NEW", help="the configuration after"))
    add_json(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the differences; return 0 if there are none, else 1."""
    old, new = (load(path) for path in (args.old, args.new))
    differences = changes(old.settings, new.settings)
    if args.json:
        print_json({"before": old.digest, "after": new.digest, "changes": differences})
    else:
        for change in differences:
            _show(change)
        print(f"{len(differences)} difference{'' if len(differences) == 1 else 's'} ({old.digest} -> {new.digest})")
    return DIFFERENT if differences else 0


def _show(change: Change) -> None:
    restart = painted("  (needs a restart)", Colour.WARNING) if change.restart else ""
    if change.before is not None:
        print(painted(f"- {change.path}: {change.before}", Colour.BAD))
    if change.after is not None:
        print(painted(f"+ {change.path}: {change.after}", Colour.GOOD) + restart)
