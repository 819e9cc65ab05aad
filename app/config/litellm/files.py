"""LiteLLM's file, with those that it includes."""

from __future__ import annotations

from pathlib import Path

from app.config.files import read_file
from app.config.trees import Tree
from app.core.configuration import ConfigError, Problem


def read_litellm(path: Path) -> Tree:
    """
    Read a configuration of LiteLLM's, and append the lists and settings of the files under `include`.

    Raises:
        ConfigError: A file cannot be read, or there is no model_list in them.
    """
    tree = read_file(path)
    included = tree.pop("include", None)
    for name in included if isinstance(included, list) else []:
        for key, value in read_file(path.parent / str(name)).items():
            there = tree.get(key)
            if isinstance(there, list) and isinstance(value, list):
                tree[key] = [*there, *value]
            elif isinstance(there, dict) and isinstance(value, dict):
                tree[key] = {**there, **value}
            else:
                tree[key] = value
    if not isinstance(tree.get("model_list"), list):
        expected = "a configuration of the LiteLLM proxy, which has a model_list"
        raise ConfigError([Problem("model_list", "(missing)", expected, "name LiteLLM's own file", str(path))])
    return tree
