"""The configuration before it is checked: nested mappings as they come out of files and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Tree: TypeAlias = dict[str, object]
# The way to one value: keys of mappings and positions in lists.
Loc: TypeAlias = tuple[str | int, ...]


def merged(under: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """Lay `over` on top of `under`: mappings are joined key by key, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def contains(tree: object, loc: Loc) -> bool:
    """Tell whether `tree` has a value at `loc`."""
    for part in loc:
        if isinstance(tree, dict):
            if part not in tree:
                return False
            tree = tree[part]
        elif isinstance(tree, list) and isinstance(part, int) and 0 <= part < len(tree):
            tree = tree[part]
        else:
            return False
    return True


def without(tree: Mapping[str, object], loc: Loc) -> Tree:
    """Copy `tree` without the value at `loc`, or without the nearest mapping entry around it."""
    first, *rest = loc
    result = dict(tree)
    inner = result.pop(str(first), None)
    if rest and isinstance(inner, dict):
        result[str(first)] = without(inner, tuple(rest))
    elif len(rest) > 1 and isinstance(inner, list) and isinstance(inner[index := int(rest[0])], dict):
        result[str(first)] = [*inner[:index], without(inner[index], tuple(rest[1:])), *inner[index + 1 :]]
    return result


def text_keys(tree: Mapping[str, object], name: str) -> frozenset[str]:
    """List the keys of the mapping called `name`, or nothing when it is no mapping."""
    inner = tree.get(name)
    return frozenset(key for key in inner if isinstance(key, str)) if isinstance(inner, dict) else frozenset()
