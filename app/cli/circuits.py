"""`wizard circuits`: show the circuit breakers of a running gateway, or force one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from app.cli.output import Colour, painted, print_answer, print_table
from app.cli.remote import Remote, add_remote
from app.cli.verbs import CommandError, Verbs, add_verb

_EXAMPLES = """\
wizard circuits
wizard circuits open openai/gpt-4o --url https://gateway.internal --token $TOKEN
wizard circuits reset openai/gpt-4o"""
_COLOURS: Mapping[str, Colour] = MappingProxyType(
    {"closed": Colour.GOOD, "half_open": Colour.WARNING, "open": Colour.BAD}
)


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `circuits`."""
    parser = add_verb(verbs, "circuits", "show the circuits of a running gateway, or force one", _EXAMPLES)
    parser.add_argument("action", nargs="?", default="list", choices=("list", "open", "close", "reset"))
    parser.add_argument("target", nargs="?", metavar="TARGET", help="provider/model, for everything but list")
    add_remote(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """List the circuits, or force one and show it."""
    if args.action == "list":
        answer = Remote.of(args).get("/admin/circuits")
    elif args.target is None:
        raise CommandError(f"which target?\n  wizard circuits {args.action} provider/model")
    else:
        answer = Remote.of(args).send("POST", f"/admin/circuits/{quote(args.target)}/{args.action}")
    print_answer(answer, _show, as_json=args.json)
    return 0


def _show(answer: Mapping[str, Any]) -> None:
    circuits = answer.get("circuits", [answer])  # all, or the one that was forced
    if circuits:
        heads = ("target", "state", "forced", "failures", "of calls", "since", "next probe")
        print_table(heads, [_row(circuit) for circuit in circuits])
    else:
        print("no circuit was ever anything but closed")


def _row(circuit: Mapping[str, Any]) -> tuple[object, ...]:
    probe_s = circuit["probes_in_s"] if circuit["state"] == "open" else None
    return (
        circuit["target"],
        painted(circuit["state"], _COLOURS[circuit["state"]]),
        "by hand" if circuit["forced"] else "",
        circuit["failures"],
        circuit["calls"],
        f"{circuit['in_state_s']:.0f} s",
        "" if probe_s is None else f"in {probe_s:.0f} s",
    )
