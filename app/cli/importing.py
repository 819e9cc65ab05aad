"""`wizard import`: convert another gateway's configuration to one of this gateway."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import yaml

from app.cli.output import print_json
from app.cli.verbs import Verbs, add_json, add_verb, complete_file
from app.config.litellm.convert import Imported, convert, read_litellm

_WIDTH: Final = 116
_PLACES_MAX: Final = 3
_EXAMPLES = """\
wizard import litellm litellm.yaml > config.yaml && wizard check --config config.yaml
wizard import litellm litellm.yaml --json"""


class _Dumper(yaml.SafeDumper):
    """Writes repeated values out in full: anchors are hard to read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        """Return True, so that no value becomes an alias."""
        return True


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `import`."""
    parser = add_verb(verbs, "import", "print another gateway's configuration as one of this gateway", _EXAMPLES)
    parser.add_argument("origin", choices=("litellm",), metavar="litellm", help="whose configuration it is")
    complete_file(parser.add_argument("file", type=Path, metavar="FILE", help="the configuration of the LiteLLM proxy"))
    add_json(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the result as YAML, below comments about what to check. Reads only the file and the files it includes."""
    imported = convert(read_litellm(args.file))
    if args.json:
        print_json({"settings": imported.settings, "notes": imported.notes})
        return 0
    print("\n".join(_lines(args.file, imported)))
    count = len(imported.notes)
    print(f"{count} note{'' if count == 1 else 's'} on what differs, in the comments on top", file=sys.stderr)
    return 0


def _lines(file: Path, imported: Imported) -> Iterator[str]:
    yield f"# Made by 'wizard import litellm {file.name}'. docs/migrate-from-litellm.md tells what means what."
    yield "# A provider's key that is not set is empty: write ${NAME} for ${NAME:-} to have that refused at the start."
    if imported.notes:
        yield "#"
        yield "# What is not carried over, or not the same:"
    for note in imported.notes:
        yield from textwrap.wrap(
            f"{_places(note.paths)}: {note.text}", _WIDTH, initial_indent="# - ", subsequent_indent="#   "
        )
    yield ""
    yield yaml.dump(
        imported.settings, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True, default_flow_style=None
    ).rstrip()


def _places(paths: Sequence[str]) -> str:
    more = len(paths) - _PLACES_MAX
    return ", ".join(paths[:_PLACES_MAX]) + (f" and {more} more" if more > 0 else "")
