"""`wizard sessions`: list, show, export and delete the conversations of a gateway that is running."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from app.cli.remote import RemoteError, add_remote, gateway_of
from app.cli.tables import table
from app.cli.verbs import Verbs

FAILED: Final = 1
_OUTLINE: Final = ("id", "owner", "model", "turns", "message_count", "bytes", "created_at", "expires_at", "metadata")


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `sessions` and what can be done with them."""
    parser = verbs.add_parser("sessions", help="list, show, export and delete the conversations of a running gateway")
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
        action.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(given: argparse.Namespace) -> int:
    """Do it, and return the exit code: 0, or 1 if it could not be done."""
    actions = {"list": _list, "show": _show, "export": _export, "delete": _delete}
    try:
        actions[given.action](given)
    except RemoteError as error:
        print(f"wizard sessions: {error}", file=sys.stderr)
        return FAILED
    return 0


def _list(given: argparse.Namespace) -> None:
    owner = f"&owner={quote(given.owner, safe='')}" if given.owner else ""
    found = gateway_of(given).ask("GET", f"/sessions?limit={given.limit}{owner}")
    if given.json:
        print(_json(found))
        return
    rows = [
        (each["id"], each["owner"], str(each["turns"]), str(each["bytes"]), _time(each["expires_at"]))
        for each in found["sessions"]
    ]
    print(table(("ID", "OWNER", "TURNS", "BYTES", "EXPIRES"), rows))


def _show(given: argparse.Namespace) -> None:
    session = _read(given)
    outline = {name: session[name] for name in _OUTLINE}
    if given.json:
        print(_json(outline))
        return
    for name, value in outline.items():
        shown = _time(value) if name.endswith("_at") else msgspec.json.encode(value).decode().strip('"')
        print(f"{name:<14} {shown}")


def _export(given: argparse.Namespace) -> None:
    session = _read(given)
    session.pop("owner")
    print(_json(session))


def _delete(given: argparse.Namespace) -> None:
    ended = gateway_of(given).ask("DELETE", f"/sessions/{quote(given.id, safe='')}")
    print(_json(ended) if given.json else f"{ended['id']} is deleted")


def _read(given: argparse.Namespace) -> dict[str, Any]:
    return gateway_of(given).ask("GET", f"/sessions/{quote(given.id, safe='')}")


def _json(content: object) -> str:
    return msgspec.json.format(msgspec.json.encode(content)).decode()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ").removesuffix("+00:00")
