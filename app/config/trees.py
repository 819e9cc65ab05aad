"""Operations on unchecked configuration: nested mappings as read from files and the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Tree: TypeAlias = dict[str, object]
# The location of one value: keys of mappings and positions in lists.
Loc: TypeAlias = tuple[str | int, ...]


def merged(under: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """Merge `over` into a copy of `under`: mappings key by key, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def contains(tree: object, loc: Loc) -> bool:
    """Return whether `tree` has a value at `loc`."""
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


def without(tree: Mapping[str, object], locs: Iterable[Loc]) -> Tree:
    """Return a copy of `tree` without the values at `locs`, or without the nearest mapping entry around each."""
    result = dict(tree)
    for name, inner in _by_first(locs).items():
        remainder = _remainder(result.pop(name, None), inner)
        if remainder is not None:
            result[name] = remainder
    return result


def _remainder(value: object, locs: Sequence[Loc]) -> Tree | list[object] | None:
    """Return a copy of a value without what is at `locs` in it; None if the value itself must be removed."""
    if not all(locs):
        return None
    if isinstance(value, dict):
        return without(value, locs)
    if not isinstance(value, list) or not all(len(loc) > 1 and isinstance(value[int(loc[0])], dict) for loc in locs):
        return None
    inner = {int(index): rest for index, rest in _by_first(locs).items()}
    return [without(entry, inner[index]) if index in inner else entry for index, entry in enumerate(value)]


def _by_first(locs: Iterable[Loc]) -> Mapping[str, Sequence[Loc]]:
    groups: dict[str, list[Loc]] = {}
    for first, *rest in locs:
        groups.setdefault(str(first), []).append(tuple(rest))
    return groups


def text_keys(tree: Mapping[str, object], name: str) -> frozenset[str]:
    """Return the keys of the mapping called `name`; empty if it is not a mapping."""
    inner = tree.get(name)
    return frozenset(key for key in inner if isinstance(key, str)) if isinstance(inner, dict) else frozenset()
