"""`wizard bench`: put load on a gateway, or on any other server that speaks OpenAI's dialect."""

from __future__ import annotations

import argparse
import asyncio
import re
from typing import Final

from app.cli.bench.figures import figures, show
from app.cli.bench.load import Callers, Load, Tally
from app.cli.output import print_json
from app.cli.progress import Progress
from app.cli.verbs import CommandError, Verbs, add_config, add_json, add_verb
from app.config.listening import places
from app.config.source import Source
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


def run(given: argparse.Namespace) -> int:
    """
    Ask for that long, and print the figures; 1 if any request failed.

    Raises:
        ConfigError: There is no `--url`, and the configuration is wrong.

        CommandError: No request was answered well.
    """
    url = given.url or f"{next(places(Source(given.config, {}, {}).read().settings)).url}/v1"
    load = Load(
        url=url.rstrip("/"),
        model=given.model,
        prompt=given.prompt,
        concurrency=min(given.concurrency, given.requests or given.concurrency),
        duration_s=given.duration,
        requests=given.requests,
        stream=given.stream,
        max_tokens=given.max_tokens,
        key=given.key,
    )
    with Progress(f"asking {load.model} at {load.url}, {load.concurrency} at a time") as progress:
        found = figures(asyncio.run(_measured(load, progress)))
    if not found.requests:
        causes = ", ".join(sorted(found.failures))
        raise CommandError(f"nobody at {load.url} gave a good answer ({causes})\n  check --url, --key and --model")
    if given.json:
        print_json(found)
    else:
        show(found)
    return FAILED if found.failed else 0


async def _measured(load: Load, progress: Progress) -> Tally:
    def tell(fraction: float) -> None:
        progress.fraction = fraction

    most = load.concurrency
    client = PoolClient(PoolOptions(connections_max=most, per_origin_max=most))
    try:
        return await Callers(load, client, SystemClock(), tell).run()
    finally:
        await client.aclose()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _CONCURRENCY_MAX * 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text)
    seconds = 0.0 if found is None else float(found[1]) * (60 if found[2] == "m" else 1)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30s or 2m")
    return seconds
