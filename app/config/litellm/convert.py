"""Read LiteLLM's configuration file, with the files it includes, and convert it section by section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.config.files import read_file
from app.config.litellm.caching import caching
from app.config.litellm.deployments import deployments
from app.config.litellm.fallbacks import Fallbacks
from app.config.litellm.general_settings import house
from app.config.litellm.mappings import Given, Note, Notes
from app.config.litellm.reliability import reliability, strategy
from app.config.litellm.routes import Providers, Routes, Routing, limits, prices
from app.config.sections import DEFAULT_TRIGGERS
from app.config.trees import Tree, merged
from app.core.configuration import ConfigError, Problem

_ORDER: Final = ("server", "redis", "auth", "admin", "keys", "providers", "models", "timeouts", "admission", "retry")


@dataclass(frozen=True, slots=True)
class Imported:
    """A converted configuration, and notes about differences."""

    settings: Tree
    notes: tuple[Note, ...]


def read_litellm(path: Path) -> Tree:
    """
    Read a LiteLLM configuration, and merge the lists and settings of the files under `include`.

    Raises:
        ConfigError: A file cannot be read, or none has a model_list.
    """
    tree = read_file(path)
    included = tree.pop("include", None)
    for name in included if isinstance(included, list) else []:
        for key, value in read_file(path.parent / str(name)).items():
            existing = tree.get(key)
            if isinstance(existing, list) and isinstance(value, list):
                tree[key] = [*existing, *value]
            elif isinstance(existing, dict) and isinstance(value, dict):
                tree[key] = {**existing, **value}
            else:
                tree[key] = value
    if not isinstance(tree.get("model_list"), list):
        expected = "a configuration of the LiteLLM proxy, which has a model_list"
        raise ConfigError([Problem("model_list", "(missing)", expected, "name LiteLLM's own file", str(path))])
    return tree


def convert(tree: Mapping[str, object]) -> Imported:
    """Convert a configuration of the LiteLLM proxy; `tree` is the content of its file."""
    notes = Notes()
    top = Given(tree, "", "top", notes)
    router, settings = top.inner("router_settings"), top.inner("litellm_settings")
    general = top.inner("general_settings")
    fallbacks = Fallbacks(notes)
    fallbacks.take(router)
    fallbacks.take(settings)
    deployed = deployments(top, _unsupported(settings))
    providers = Providers(deployed)
    routing = Routing(
        strategy(router), router.whole("default_max_parallel_requests"), fallbacks, _aliases(router, settings)
    )
    result: Tree = {
        "providers": providers.settings(),
        "models": Routes(providers, routing).settings(deployed),
        "limits": limits(deployed, providers),
        "prices": prices(deployed, providers),
    }
    triggers = sorted({*DEFAULT_TRIGGERS, "content_policy"}) if fallbacks.on_content else None
    result["fallback"] = {"triggers": triggers}
    for part in (house(general, settings), reliability(router, settings), caching(settings, router)):
        result = merged(result, part)
    router.take("enable_pre_call_checks")  # windows are always checked
    _variables(top)
    for section in (router, settings, general, top):
        section.leave()
    tidied = {name: value for name, section in result.items() if (value := _tidied(section)) not in (None, {}, [])}
    return Imported(_ordered(tidied), notes.told())


def _unsupported(settings: Given) -> str | None:
    drops = settings.flag("drop_params")
    return None if drops is None or drops else "error"  # drop is the default


def _aliases(router: Given, settings: Given) -> Mapping[str, str]:
    aliases: dict[str, str] = {}
    for section, name in ((router, "model_group_alias"), (settings, "model_alias_map")):
        entries = section.take(name)
        for alias, target in entries.items() if isinstance(entries, dict) else ():
            aliases[str(alias)] = str(target.get("model")) if isinstance(target, dict) else str(target)
    return aliases


def _variables(top: Given) -> None:
    variables = top.take("environment_variables")
    if isinstance(variables, dict) and variables:
        names = ", ".join(map(str, variables))
        top.note("environment_variables", f"set them where the gateway is started: {names}")


def _tidied(value: object) -> object:
    """Return a copy without None values and empty mappings and lists; 6.0 becomes 6."""
    if isinstance(value, dict):
        kept = {name: _tidied(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner not in ({}, [])}
    if isinstance(value, list):
        return [_tidied(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _ordered(tree: Tree) -> Tree:
    """Return the sections in reading order."""
    first = {name: tree[name] for name in _ORDER if name in tree}
    return first | tree
