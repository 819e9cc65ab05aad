"""`wizard bench`: load test a gateway, or any other OpenAI-compatible server."""

from __future__ import annotations

import argparse
import asyncio
import re
from typing import Final

from app.cli.bench.figures import figures, show
from app.cli.bench.load import Callers, Load, Tally
from app.cli.output import print_answer
from app.cli.progress import Progress
from app.cli.verbs import CommandError, Verbs, add_config, add_json, add_verb
from app.config.listening import places
from app.config.load import load
from app.core.clock import SystemClock
from app.providers.pool import PoolClient, PoolOptions

FAILED: Final = 1
_CONCURRENCY_MAX: Final = 10_000
_EXAMPLES = """\
wizard bench
wizard bench --model fast --concurrency 50 --duration 30s --stream
wizard bench --url https://gateway.internal/v1 --key $KEY --model fast --requests 1000 --json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `bench`."""
    parser = add_verb(verbs, "bench", "put load on a gateway and measure how it answers", _EXAMPLES)
    add_config(parser)
    parser.add_argument("--url", help="base URL with its /v1; default the gateway of the configuration")
    parser.add_argument("--key", default="", help="what is sent as bearer token; default none")
    parser.add_argument("--model", default="sim/echo", help="what is asked; default %(default)s")
    parser.add_argument(
        "--concurrency", "-c", type=_count, default=10, metavar="N", help="callers; default %(default)s"
    )
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--duration", type=_seconds, default=10.0, metavar="TIME", help="as 30s or 2m; default 10s")
    ends.add_argument("--requests", "-n", type=_count, metavar="N", help="so many requests instead of a duration")
    parser.add_argument("--stream", action="store_true", help="ask for streams")
    parser.add_argument("--prompt", default="Say hello.", help="what is said; default '%(default)s'")
    parser.add_argument("--max-tokens", type=_count, metavar="N", help="longest answer")
    add_json(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the load test and print its results; return 1 if any request failed."""
    url = args.url or f"{next(places(load(args.config).settings)).url}/v1"
    work = Load(
        url=url.rstrip("/"),
        model=args.model,
        prompt=args.prompt,
        concurrency=min(args.concurrency, args.requests or args.concurrency),
        duration_s=args.duration,
        requests=args.requests,
        stream=args.stream,
        max_tokens=args.max_tokens,
        key=args.key,
    )
    with Progress(f"asking {work.model} at {work.url}, {work.concurrency} at a time") as progress:
        results = figures(asyncio.run(_measured(work, progress)))
    if not results.requests:
        causes = ", ".join(sorted(results.failures))
        raise CommandError(f"nobody at {work.url} gave a good answer ({causes})\n  check --url, --key and --model")
    print_answer(results, show, as_json=args.json)
    return FAILED if results.failed else 0


async def _measured(load: Load, progress: Progress) -> Tally:
    def report(fraction: float) -> None:
        progress.fraction = fraction

    most = load.concurrency
    client = PoolClient(PoolOptions(connections_max=most, per_origin_max=most))
    try:
        return await Callers(load, client, SystemClock(), report).run()
    finally:
        await client.aclose()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _CONCURRENCY_MAX * 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text)
    seconds = 0.0 if match is None else float(match[1]) * (60 if match[2] == "m" else 1)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30s or 2m")
    return seconds
