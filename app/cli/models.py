"""`wizard models`: what can be called."""

from __future__ import annotations

import argparse

from app.cli.output import print_json, print_table
from app.cli.reading import Offline
from app.cli.verbs import Verbs, add_config, add_json, add_verb

_EXAMPLES = """\
wizard models
wizard models --config config.yaml --json"""


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `models`."""
    parser = add_verb(verbs, "models", "list the models that callers can name", _EXAMPLES)
    add_config(parser)
    add_json(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """
    Print the routes and the models known to be there.

    Raises:
        ConfigError: The configuration is wrong.
    """
    offline = Offline(given.config)
    settings, catalog = offline.loaded.settings, offline.gateway.catalog
    listed = catalog.listed()
    if given.json:
        print_json({"models": listed, "any_of": catalog.providers})
        return 0
    rows = []
    for model in listed:
        route = settings.models.get(model.id)
        targets = " -> ".join(target.name for target in catalog.targets(model.id))
        rows.append((model.id, route.strategy if route is not None else "direct", targets))
    print_table(("model", "strategy", "targets"), rows)
    print(f"\nand any model of {', '.join(catalog.providers) or 'no provider'}, as provider/model")
    return 0
