"""`wizard explain`: show what would happen to a request, without sending it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.api.admin.explaining import DEFAULT_ENDPOINT
from app.api.app import dialects
from app.api.hot import Arrival, Desk, HotRoute
from app.cli.output import Colour, painted, print_answer, print_facts, print_table, shown
from app.cli.reading import Offline
from app.cli.remote import Remote, add_remote
from app.cli.verbs import CommandError, UsageError, Verbs, add_verb, complete_file
from app.core.errors import GatewayError
from app.core.explain.port import explain
from app.core.gateway import Gateway
from app.core.identity import ANONYMOUS

REFUSED = 1
_EXAMPLES = """\
wizard explain request.json
echo '{"model": "fast", "prompt": "hi"}' | wizard explain -
wizard explain request.json --endpoint /v1/chat/completions --url https://gateway.internal --token $TOKEN"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `explain`."""
    parser = add_verb(verbs, "explain", "say what would happen to a request, without making it", _EXAMPLES)
    complete_file(parser.add_argument("request", metavar="REQUEST.json", help="the body of the request; - reads it"))
    where = f"where it would be sent; default {DEFAULT_ENDPOINT}"
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help=where)
    add_remote(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """
    Print the explanation; return 0 if the request would reach a target, 1 if it would be refused.

    Without `--url` only the configuration is used: circuits are closed, and nothing has been spent.
    """
    raw = _read(args.request)
    if args.url:
        explanation = Remote.of(args).send("POST", "/admin/explain", raw, {"endpoint": args.endpoint})
    else:
        explanation = _offline(args.config, args.endpoint, raw)
    print_answer(explanation, _show, as_json=args.json)
    return REFUSED if explanation["refusal"] else 0


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from error


class _Fixed:
    """A `CurrentGateway` that is never reloaded."""

    def __init__(self, gateway: Gateway) -> None:
        self.current = gateway


def _offline(config: Path | None, endpoint: str, raw: bytes) -> Any:  # noqa: ANN401 - JSON
    offline = Offline(config)
    known = dialects()
    if endpoint not in known:
        raise UsageError(f"--endpoint must be one of {', '.join(sorted(known))}")
    desk = Desk(_Fixed(offline.gateway), lambda _signal: None, offline.deps.clock)
    try:
        arrival = Arrival("req_explain", {}, None, ANONYMOUS)
        call = HotRoute(desk, known[endpoint]).call(arrival, raw, offline.gateway.edge)
    except GatewayError as error:
        raise CommandError(f"{error.message}\n  {error.suggestion}") from error
    explained = asyncio.run(explain(call, offline.gateway.explainers))
    return msgspec.json.decode(msgspec.json.encode(explained))


def _show(explanation: Mapping[str, Any]) -> None:
    for name, section in explanation["sections"].items():
        print(painted(name, Colour.QUIET))
        for key, value in section.items():
            _show_value(key, value)
        print()
    refusal = explanation["refusal"]
    if refusal:
        print(painted(f"refused by {refusal['section']}: {refusal['status']} {refusal['code']}", Colour.BAD))
        print(f"  {refusal['message']}\n  {refusal['suggestion']}")


def _show_value(key: str, value: Any) -> None:  # noqa: ANN401 - JSON
    if key == "steps":
        for step in value:
            _show_step(step)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        print_table(tuple(value[0]), [tuple(map(_cell, row.values())) for row in value])
    else:
        print_facts({key: value}, "  ")


def _show_step(step: Mapping[str, Any]) -> None:
    print(f"  {step['route'] or 'direct'} ({step['strategy']})")
    for target in step["targets"]:
        print(
            f"    {target['position']}. {target['target']:<32} circuit {target['circuit']}, "
            f"{target['in_flight']} in flight, up to {target['tries']} tries"
        )
    for target in step["passed_by"]:
        print(painted(f"    -  {target['target']:<32} has no {', '.join(target['lacks'])}", Colour.WARNING))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return "unknown" if value is None else shown(value)
