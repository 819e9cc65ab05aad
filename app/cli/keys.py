"""
`wizard keys`: create, list, rotate and revoke virtual keys.

Without `--url`, `new` and `rotate` print an entry for the configuration file; with it, the gateway stores the key.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any, Final
from urllib.parse import quote

import msgspec
from pydantic import ValidationError

from app.cli.output import print_answer, print_json, print_table
from app.cli.remote import Remote, add_remote
from app.cli.verbs import UsageError, Verbs, add_verb
from app.config.features.keys import VirtualKey as KeySettings
from app.config.load import find, load
from app.config.schema import Settings
from app.config.shapes import expectation, shape_at
from app.core.configuration import ConfigError
from app.core.keys.virtual_keys import Hasher, new_secret
from app.core.parameters import ROLES

_UNITS: Final = "smhdw"
_SECONDS: Final = (1, 60, 3600, 86_400, 604_800)
_OVERLAP = "1d"
_EXAMPLES = """\
wizard keys new --name team-a --models fast 'openai/*' --expires 90d
wizard keys new --name ci --url http://127.0.0.1:8080       the gateway keeps it
wizard keys list | revoke ID | rotate ID --overlap 1d"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `keys` and its actions."""
    parser = add_verb(verbs, "keys", "make, list, rotate and revoke virtual keys", _EXAMPLES)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    making = actions.add_parser("new", help="make a key, and print it this once")
    making.add_argument("--name", help="what it is called; required unless a gateway keeps it")
    for word in ("team", "user"):
        making.add_argument(f"--{word}", help=f"the {word} that it belongs to")
    making.add_argument("--tags", nargs="+", default=[], help="tags of all its calls in usage reports")
    making.add_argument("--models", nargs="+", help="routes and provider/model that it may use, * for any text")
    making.add_argument("--roles", nargs="+", choices=ROLES, help="roles that its messages may have")
    making.add_argument("--expires", metavar="WHEN", type=_moment, help="90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z")
    making.add_argument("--priority", choices=("high", "normal", "low"), help="priority of its calls")
    listing = actions.add_parser("list", help="list the keys of a running gateway")
    revoking = actions.add_parser("revoke", help="end a key of a running gateway at once, on all replicas")
    rotating = actions.add_parser("rotate", help="give a key a fresh secret; the old one stays valid for a while")
    rotating.add_argument(
        "--overlap", metavar="TIME", type=_duration, default=_OVERLAP, help="how long; default %(default)s"
    )
    for action in (revoking, rotating):
        action.add_argument("id", metavar="ID", help="id of the key, or its name in the configuration file")
    for action in (making, listing, revoking, rotating):
        add_remote(action)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    {"new": _new, "list": _list, "revoke": _revoke, "rotate": _rotate}[args.action](args)
    return 0


def _new(args: argparse.Namespace) -> None:
    flags = {name: getattr(args, name) for name in ("name", "team", "user", "tags", "models", "roles", "priority")}
    spec: dict[str, Any] = {name: value for name, value in flags.items() if value}
    if args.expires:
        spec["expires_at"] = args.expires.isoformat()
    if args.url:
        issued = Remote.of(args).send("POST", "/admin/keys", msgspec.json.encode(spec))
        print_answer(issued, _show_issued, as_json=args.json)
        return
    secret, fields = _new_key(_settings(args))
    spec.pop("expires_at", None)
    default_name = f"key-{fields['hash'].partition(':')[2][:8]}"  # in the file every key has a name
    entry = {"name": default_name, **fields, **spec}
    if args.expires:
        entry["expires"] = args.expires.isoformat()
    _require_good(entry)
    _print_entry(args, secret, entry, "Add this to 'keys' in the configuration file:")


def _rotate(args: argparse.Namespace) -> None:
    settings = _settings(args)
    listed = next((key for key in settings.keys if key.name == args.id), None) if settings else None
    overlap_s = args.overlap.total_seconds()
    if listed is None:
        path, body = f"/admin/keys/{quote(args.id, safe='')}/rotate", msgspec.json.encode({"overlap_s": overlap_s})
        print_answer(Remote.of(args).send("POST", path, body), _show_issued, as_json=args.json)
        return
    secret, fields = _new_key(settings)
    until = (datetime.now(UTC) + timedelta(seconds=overlap_s)).replace(microsecond=0)
    entry = {"name": listed.name, **fields, "previous_hash": listed.hash, "previous_until": until.isoformat()}
    _print_entry(args, secret, entry, f"Change these lines of {listed.name!r} in the configuration file:")


def _revoke(args: argparse.Namespace) -> None:
    answer = Remote.of(args).send("DELETE", f"/admin/keys/{quote(args.id, safe='')}")
    text = f"{answer['id']} is revoked, on every replica within a second"
    print_answer(answer, lambda _answer: print(text), as_json=args.json)


def _list(args: argparse.Namespace) -> None:
    print_answer(Remote.of(args).get("/admin/keys"), _show_list, as_json=args.json)


def _show_list(answer: Mapping[str, Any]) -> None:
    rows = [
        (
            *(key[name] for name in ("id", "name", "status", "source")),
            key["team"] or "-",
            "all" if key["models"] is None else " ".join(key["models"]) or "none",
            _day(key["expires_at"]),
        )
        for key in answer["keys"]
    ]
    print_table(("id", "name", "status", "where", "team", "models", "expires"), rows)


def _new_key(settings: Settings | None) -> tuple[str, dict[str, str]]:
    """Return a new key and the `hash` field of its entry."""
    pepper = settings.auth.pepper if settings else None
    secret = new_secret(token_bytes)
    return secret, {"hash": str(Hasher(pepper.get_secret_value().encode() if pepper else b"").stored(secret.encode()))}


def _settings(args: argparse.Namespace) -> Settings | None:
    """Return the configuration, for its pepper and keys; None if invalid, as it may be before the first key exists."""
    try:
        return load(args.config).settings
    except ConfigError as error:
        if any(problem.path.startswith("auth.pepper") for problem in error.problems):
            raise
        source = find(args.config) or "the environment"
        print(f"note: {source} has problems (see wizard check), so it is taken to have no pepper", file=sys.stderr)
        return None


def _require_good(entry: dict[str, Any]) -> None:
    """Raise `UsageError` for an entry that the configuration would refuse."""
    try:
        KeySettings.model_validate(entry)
    except ValidationError as error:
        places = {detail["loc"][0]: detail["loc"] for detail in error.errors(include_url=False)}
        shapes = {name: shape_at(KeySettings, loc) for name, loc in places.items()}
        problems = [f"--{name}: expected {expectation(shape)}" for name, shape in shapes.items() if shape is not None]
        raise UsageError("; ".join(problems)) from None


def _show_issued(issued: Mapping[str, Any]) -> None:
    print(f"id   {issued['id']}\nkey  {issued['key']}\n\nThe key is shown this once. The gateway keeps only its hash.")
    if issued["source"] == "memory":
        print("Without Redis that is in its memory: the key ends when the gateway does.")


def _print_entry(args: argparse.Namespace, secret: str, entry: dict[str, Any], advice: str) -> None:
    if args.json:
        print_json({"key": secret, **entry})
        return
    lines = [f"{name}: {_yaml(value)}" for name, value in entry.items()]
    print(f"key  {secret}\n\nThe key is shown this once. {advice}\n\n  - " + "\n    ".join(lines))


def _yaml(value: object) -> str:
    return msgspec.json.encode(value).decode()  # JSON is YAML


def _day(seconds: int | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _moment(text: str) -> datetime:
    if text[-1:] in _UNITS and text[:-1].strip("0").isdigit():
        return (datetime.now(UTC) + _duration(text)).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z"
        raise argparse.ArgumentTypeError(f"expected a time such as {expected}, not {text!r}") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"expected a time to come, not {text!r}")
    return moment


def _duration(text: str) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or len(number) > 6:  # noqa: PLR2004 - digits of a sensible number
        raise argparse.ArgumentTypeError(f"expected a number with s, m, h, d or w, such as 12h, not {text!r}")
    return timedelta(seconds=int(number) * _SECONDS[_UNITS.index(unit)])
