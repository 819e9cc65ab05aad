"""`wizard doctor`: check everything a gateway depends on, and print what is wrong and what to do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from types import MappingProxyType

from app.assembly.providers import providers
from app.cli.doctor.finding import Finding, Verdict
from app.cli.doctor.machine import machine, running
from app.cli.doctor.sharing import sharing_of
from app.cli.doctor.upstreams import provider_of, wanted
from app.cli.output import Colour, painted, print_json
from app.cli.progress import Progress
from app.cli.reading import Offline
from app.cli.verbs import Verbs, add_config, add_json, add_verb
from app.config.listening import places

UNHEALTHY = 1
_TEXT = "look at providers, Redis, the clock and this machine, and say what is wrong"
_EXAMPLES = """\
wizard doctor
wizard doctor --config config.yaml --json"""
_MARKS: Mapping[Verdict, tuple[str, Colour]] = MappingProxyType(
    {
        Verdict.OK: ("ok     ", Colour.GOOD),
        Verdict.WARNING: ("warning", Colour.WARNING),
        Verdict.WRONG: ("wrong  ", Colour.BAD),
    }
)


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `doctor`."""
    parser = add_verb(verbs, "doctor", _TEXT, _EXAMPLES)
    add_config(parser)
    add_json(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print each finding as soon as it is known; return 0 if nothing is wrong, else 1."""
    offline = Offline(args.config)
    with Progress("asking the providers and Redis") as progress:
        return asyncio.run(_report(offline, progress, as_json=args.json))


async def _report(offline: Offline, progress: Progress, *, as_json: bool) -> int:
    findings: list[Finding] = []
    try:
        async for finding in _findings(offline):
            findings.append(finding)
            if not as_json:
                progress.clear()
                _show(finding)
    finally:
        await offline.aclose()
    is_unhealthy = any(finding.verdict is Verdict.WRONG for finding in findings)
    if as_json:
        print_json({"findings": findings, "well": not is_unhealthy})
    return UNHEALTHY if is_unhealthy else 0


async def _findings(offline: Offline) -> AsyncIterator[Finding]:
    settings, deps = offline.loaded.settings, offline.deps
    yield Finding("configuration", Verdict.OK, f"{offline.loaded.source} is good (digest {offline.loaded.digest})")
    for finding in machine(settings):
        yield finding
    yield await asyncio.to_thread(running, offline.loaded, next(places(settings)).url)
    reached = providers(settings, deps)
    checks: list[Awaitable[Sequence[Finding]]] = [sharing_of(settings, deps.clock)]
    checks += [provider_of(name, settings, reached[name], deps.clock) for name, _ in wanted(settings)]
    for answer in asyncio.as_completed(checks):
        for finding in await answer:
            yield finding


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    print(f"{painted(mark, colour)}  {finding.subject}: {finding.found}", flush=True)
    if finding.advice:
        print(f"         {finding.advice}", flush=True)
