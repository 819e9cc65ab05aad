"""Read LiteLLM's configuration file, with the files it includes."""

from __future__ import annotations

from pathlib import Path

from app.config.files import read_file
from app.config.trees import Tree
from app.core.configuration import ConfigError, Problem


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
