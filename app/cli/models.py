"""`wizard models`: show the known facts about the models of a configuration, or of one kind of provider."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from app.assembly.catalogue import models
from app.cli.banner import known_models
from app.cli.embedded_default import read_here
from app.cli.verbs import Verbs, add_config, add_json, add_verb
from app.config.catalogue import read_catalogue
from app.config.schema import Settings
from app.core.allow_list import slashed
from app.core.catalogue import ModelInfo

_EXAMPLES = """\
wizard models
wizard models --kind openai
wizard models --config config.yaml --json"""
_HEAD = ("model", "for", "window", "answer", "can", "in $/M", "out $/M")
_FORM = "{:<44} {:<14} {:>9} {:>8}  {:<34} {:>9} {:>9}"


def add(verbs: Verbs) -> argparse.ArgumentParser:
    """Add `models`."""
    parser = add_verb(verbs, "models", "show what is known of models: windows, capabilities, prices", _EXAMPLES)
    add_config(parser)
    parser.add_argument(
        "--kind", help="all known models of a kind of provider, such as openai, in place of a configuration"
    )
    add_json(parser)  # one object per line
    return parser


def run(args: argparse.Namespace) -> int:
    """Print a line for each model, without any network access."""
    listed = _of_kind(args.kind) if args.kind else _configured(read_here(args.config).settings)
    if args.json:
        for name, info in listed:
            print(msgspec.json.encode({"id": name, **msgspec.to_builtins(info or ModelInfo())}).decode())
        return 0
    print(_FORM.format(*_HEAD))
    for name, info in listed:
        print(_FORM.format(name, *_columns(info)).rstrip())
    catalogue = read_catalogue()
    print(f"\ncatalogue of {catalogue.version}; what is not known is shown as -, and nothing is ruled out by it")
    return 0


def _configured(settings: Settings) -> Iterator[tuple[str, ModelInfo | None]]:
    """Yield the targets of routes, then the listed models of providers, each once."""
    known = models(settings)
    named = {f"{target.provider}/{target.model}" for route in settings.models.values() for target in route.targets}
    for name, each in settings.providers.items():
        named |= {f"{name}/{model}" for model in known_models(each.kind, each.models)}
    named |= set(map(slashed, settings.catalogue.models))
    for name in sorted(named):
        provider, _, model = name.partition("/")
        yield name, known.find(provider, model)


def _of_kind(kind: str) -> Iterator[tuple[str, ModelInfo | None]]:
    catalogue = read_catalogue()
    for entry in catalogue.models(kind):
        yield entry.id, catalogue.find(kind, entry.id)


def _columns(info: ModelInfo | None) -> tuple[str, ...]:
    if info is None:
        return ("-",) * (len(_HEAD) - 1)
    price = info.price
    return (
        info.operation,
        _shown(info.context_window),
        _shown(info.max_output),
        "-" if info.capabilities is None else " ".join(sorted(info.capabilities)) or "none",
        "-" if price is None else f"{price.input:g}",
        "-" if price is None else f"{price.output:g}",
    )


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)
