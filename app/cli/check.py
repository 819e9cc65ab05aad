"""`wizard check`: report every problem of a configuration, or show what it means."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import msgspec

from app.assembly import Deps, attempt_stages, call_stages
from app.assembly.passthrough import passes_on
from app.assembly.recovery import recovering_routes
from app.assembly.stages import passing_attempt_stages, passing_call_stages
from app.cli.output import print_answer, print_json
from app.cli.reading import Offline
from app.cli.verbs import Verbs, add_config, add_json, add_verb
from app.config.schema import Settings
from app.core.configuration import ConfigError

WRONG = 2
_EXAMPLES = """\
wizard check
wizard check --config config.yaml && wizard serve --config config.yaml"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `check`."""
    parser = add_verb(verbs, "check", "validate a configuration and show what it means", _EXAMPLES)
    add_config(parser)
    add_json(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the routes and the pipeline, or with `--json` also the problems; nothing is sent over the network."""
    try:
        offline = Offline(args.config)
    except ConfigError as error:
        if not args.json:
            raise
        print_json({"problems": [msgspec.structs.asdict(problem) for problem in error.problems]})
        return WRONG
    print_answer(_meaning(offline), _show, as_json=args.json)
    return 0


class _Meaning(msgspec.Struct, frozen=True):
    """The effect of a valid configuration; routes have their targets in the order of the file."""

    source: str
    digest: str
    providers: Mapping[str, _Provider]
    routes: Mapping[str, _Route]
    pipeline: str
    passing_pipeline: str | None
    problems: tuple[()] = ()


class _Provider(msgspec.Struct, frozen=True):
    kind: str
    base_url: str | None


class _Route(msgspec.Struct, frozen=True):
    strategy: str
    targets: Sequence[str]


def _meaning(offline: Offline) -> _Meaning:
    loaded, deps, routing = offline.loaded, offline.deps, offline.gateway.routing
    settings = loaded.settings
    return _Meaning(
        source=loaded.source,
        digest=loaded.digest,
        providers={name: _Provider(each.kind, each.base_url) for name, each in settings.providers.items()},
        routes={
            name: _Route(route.strategy, [target.name for target in routing.targets(name)])
            for name, route in settings.models.items()
        },
        pipeline=_pipeline(settings, deps),
        passing_pipeline=_passing_pipeline(settings, deps) if passes_on(settings) else None,
    )


def _show(meaning: _Meaning) -> None:
    print(f"{meaning.source}: good (digest {meaning.digest})\n\nproviders")
    for name, provider in meaning.providers.items():
        print(f"  {name:<20} {provider.kind:<12} {provider.base_url or 'in this process'}")
    print("\nroutes")
    for name, route in meaning.routes.items():
        print(f"  {name:<20} {route.strategy:<12} {' -> '.join(route.targets)}")
    print(f"  {'provider/model':<20} {'direct':<12} any model of {', '.join(meaning.providers) or 'no provider'}")
    print(f"\npipeline\n  {meaning.pipeline}")
    if meaning.passing_pipeline is not None:
        print(f"\npipeline of what is passed on\n  {meaning.passing_pipeline}")


def _pipeline(settings: Settings, deps: Deps) -> str:
    once, each = call_stages(settings, deps), attempt_stages(settings, deps)
    recover = "Recover > " if recovering_routes(settings) else ""
    return f"{_names(once)} > {recover}Fallback( {_names(each)} > Endpoint )"


def _passing_pipeline(settings: Settings, deps: Deps) -> str:
    once, each = passing_call_stages(settings, deps), passing_attempt_stages(settings, deps)
    return f"{_names(once)} > {_names(each)} > Endpoint"


def _names(stages: Sequence[object]) -> str:
    return " > ".join([type(stage).__name__ for stage in stages])
