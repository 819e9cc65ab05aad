"""`wizard sessions`: list, show, export and delete the sessions of a running gateway."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from app.cli.output import print_answer, print_json, print_table
from app.cli.remote import Remote, add_remote
from app.cli.verbs import Verbs, add_verb

_OUTLINE: Final = ("id", "owner", "model", "turns", "message_count", "bytes", "created_at", "expires_at", "metadata")

_EXAMPLES: Final = """\
wizard sessions list --owner team-a
wizard sessions show sess_0123456789abcdef
wizard sessions export sess_0123456789abcdef > conversation.json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `sessions` and its actions."""
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
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    {"list": _list, "show": _show, "export": _export, "delete": _delete}[args.action](args)
    return 0


def _list(args: argparse.Namespace) -> None:
    query = {"limit": str(args.limit), **({"owner": args.owner} if args.owner else {})}
    answer = Remote.of(args).send("GET", "/admin/sessions", query=query)
    print_answer(answer, _show_list, as_json=args.json)


def _show_list(answer: Mapping[str, Any]) -> None:
    rows = [
        (each["id"], each["owner"], each["turns"], each["bytes"], _time(each["expires_at"]))
        for each in answer["sessions"]
    ]
    print_table(("id", "owner", "turns", "bytes", "expires"), rows)


def _show(args: argparse.Namespace) -> None:
    session = _send("GET", args)
    print_answer({name: session[name] for name in _OUTLINE}, _show_outline, as_json=args.json)


def _show_outline(outline: Mapping[str, Any]) -> None:
    for name, value in outline.items():
        shown = _time(value) if name.endswith("_at") else msgspec.json.encode(value).decode().strip('"')
        print(f"{name:<14} {shown}")


def _export(args: argparse.Namespace) -> None:
    session = _send("GET", args)
    session.pop("owner")
    print_json(session)


def _delete(args: argparse.Namespace) -> None:
    print_answer(_send("DELETE", args), lambda deleted: print(f"{deleted['id']} is deleted"), as_json=args.json)


def _send(method: str, args: argparse.Namespace) -> Any:  # noqa: ANN401 - JSON
    return Remote.of(args).send(method, f"/admin/sessions/{quote(args.id, safe='')}")


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ").removesuffix("+00:00")
