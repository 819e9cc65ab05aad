"""`wizard check`: say everything that is wrong with a configuration, or what it means."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from app.assembly import Deps, attempt_stages, call_stages
from app.assembly.passing import passes_on
from app.assembly.recovering import recovering_routes
from app.assembly.stages import passing_attempt_stages, passing_call_stages
from app.cli.reading import Offline
from app.cli.verbs import Verbs, add_config, add_verb
from app.config.schema import Settings
from app.core.routing.catalog import Catalog

_EXAMPLES = """\
wizard check
wizard check --config config.yaml && wizard serve --config config.yaml"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `check`."""
    parser = add_verb(verbs, "check", "validate a configuration and show what it means", _EXAMPLES)
    add_config(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """
    Print the routes and the pipeline of a good configuration; calls nothing.

    Raises:
        ConfigError: With every problem at once.
    """
    offline = Offline(given.config)
    loaded, deps, gateway = offline.loaded, offline.deps, offline.gateway
    print(f"{loaded.source}: good (digest {loaded.digest})")
    print("\nproviders")
    for name, provider in loaded.settings.providers.items():
        print(f"  {name:<20} {provider.kind:<12} {provider.base_url or 'in this process'}")
    print("\nroutes")
    for line in _routes(loaded.settings, gateway.catalog):
        print(f"  {line}")
    print(f"\npipeline\n  {_pipeline(loaded.settings, deps)}")
    if passes_on(loaded.settings):
        print(f"\npipeline of what is passed on\n  {_passing_pipeline(loaded.settings, deps)}")
    return 0


def _routes(settings: Settings, catalog: Catalog) -> Sequence[str]:
    """Return a line for each route: its strategy, and its targets in the order in which they are configured."""
    lines = [
        f"{name:<20} {route.strategy:<12} {' -> '.join(target.name for target in catalog.targets(name))}"
        for name, route in settings.models.items()
    ]
    direct = f"any model of {', '.join(settings.providers) or 'no provider'}"
    return [*lines, f"{'provider/model':<20} {'direct':<12} {direct}"]


def _pipeline(settings: Settings, deps: Deps) -> str:
    once, each = call_stages(settings, deps), attempt_stages(settings, deps)
    recover = "Recover > " if recovering_routes(settings) else ""
    return f"{_names(once)} > {recover}Fallback( {_names(each)} > Endpoint )"


def _passing_pipeline(settings: Settings, deps: Deps) -> str:
    once, each = passing_call_stages(settings, deps), passing_attempt_stages(settings, deps)
    return f"{_names(once)} > {_names(each)} > Endpoint"


def _names(stages: Sequence[object]) -> str:
    return " > ".join([type(stage).__name__ for stage in stages])
