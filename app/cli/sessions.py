"""`wizard sessions`: list, show, export and delete the conversations of a gateway that is running."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from app.cli.output import print_json, print_table
from app.cli.remote import Remote, add_remote
from app.cli.verbs import Verbs, add_json, add_verb

_OUTLINE: Final = ("id", "owner", "model", "turns", "message_count", "bytes", "created_at", "expires_at", "metadata")

_EXAMPLES: Final = """\
wizard sessions list --owner team-a
wizard sessions show sess_0123456789abcdef
wizard sessions export sess_0123456789abcdef > conversation.json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `sessions` and what can be done with them."""
    parser = add_verb(
        verbs, "sessions", "list, show, export and delete the conversations of a running gateway", _EXAMPLES
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list those used last")
    listing.add_argument("--owner", help="only those of this key")
    listing.add_argument("--limit", type=int, default=100, help="most to list; default %(default)s")
    showing = actions.add_parser("show", help="show what is known of one, without what was said")
    exporting = actions.add_parser("export", help="print all of one as JSON, which POST /v1/sessions takes")
    deleting = actions.add_parser("delete", help="end one and forget its messages")
    for action in (showing, exporting, deleting):
        action.add_argument("id", metavar="ID")
    for action in (listing, showing, exporting, deleting):
        add_remote(action)
        add_json(action)
    return parser


def run(given: argparse.Namespace) -> int:
    """
    Do it.

    Raises:
        CommandError: The gateway refuses.
    """
    {"list": _list, "show": _show, "export": _export, "delete": _delete}[given.action](given)
    return 0


def _list(given: argparse.Namespace) -> None:
    query = {"limit": str(given.limit), **({"owner": given.owner} if given.owner else {})}
    found = Remote.of(given).send("GET", "/admin/sessions", query=query)
    if given.json:
        print_json(found)
        return
    rows = [
        (each["id"], each["owner"], each["turns"], each["bytes"], _time(each["expires_at"]))
        for each in found["sessions"]
    ]
    print_table(("id", "owner", "turns", "bytes", "expires"), rows)


def _show(given: argparse.Namespace) -> None:
    session = _read(given)
    outline = {name: session[name] for name in _OUTLINE}
    if given.json:
        print_json(outline)
        return
    for name, value in outline.items():
        shown = _time(value) if name.endswith("_at") else msgspec.json.encode(value).decode().strip('"')
        print(f"{name:<14} {shown}")


def _export(given: argparse.Namespace) -> None:
    session = _read(given)
    session.pop("owner")
    print_json(session)


def _delete(given: argparse.Namespace) -> None:
    ended = Remote.of(given).send("DELETE", f"/admin/sessions/{quote(given.id, safe='')}")
    if given.json:
        print_json(ended)
    else:
        print(f"{ended['id']} is deleted")


def _read(given: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = Remote.of(given).get(f"/admin/sessions/{quote(given.id, safe='')}")
    return found


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ").removesuffix("+00:00")
