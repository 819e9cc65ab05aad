"""Settings whose feature is not built yet: only their default is accepted, so that nobody relies on what is not there.

An issue that builds a feature deletes its line from the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, SecretStr

from app.config.origins import Origins
from app.config.problems import Problem, dotted, shown
from app.config.schema import Settings
from app.config.trees import Loc

# Path (with * for a free name) to what an operator can do instead; everything below a path is closed with it.
NOT_BUILT: Final[Mapping[tuple[str, ...], str]] = MappingProxyType(
    {
        ("auth",): "remove it, and let only trusted networks or an authenticating proxy reach the gateway",
        ("keys",): "remove it, and let only trusted networks or an authenticating proxy reach the gateway",
        ("sessions",): "remove it, and send the whole conversation with each request",
    }
)


@dataclass(frozen=True, slots=True)
class _Leaf:
    loc: Loc
    value: object
    default: object


def unavailable(settings: Settings, origins: Origins) -> dict[Loc, Problem]:
    """Name each setting that asks for a feature this version does not have, by location."""
    problems: dict[Loc, Problem] = {}
    for leaf in _leaves(settings, ()):
        advice = next((text for path, text in NOT_BUILT.items() if _covers(path, leaf.loc)), None)
        if advice is not None and leaf.value != leaf.default:
            problems[leaf.loc] = Problem(
                path=dotted(leaf.loc),
                value=shown(leaf.loc, leaf.value),
                expected=f"not available in this version: only the default is accepted ({_default(leaf)})",
                suggestion=advice,
                file=origins.of(leaf.loc),
            )
    return problems


def _default(leaf: _Leaf) -> str:
    match leaf.default:
        case SecretStr():
            return "empty"
        case tuple() as words:
            return f"[{', '.join(map(str, words))}]"
        case value:
            return shown((), value)


def _covers(path: tuple[str, ...], loc: Loc) -> bool:
    return len(path) <= len(loc) and all(part in {"*", place} for part, place in zip(path, loc, strict=False))


def _leaves(section: BaseModel, loc: Loc) -> Iterator[_Leaf]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        here = (*loc, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, here)
        elif isinstance(value, dict) and any(isinstance(item, BaseModel) for item in value.values()):
            for key, item in value.items():
                yield from _leaves(item, (*here, key))
        else:
            yield _Leaf(here, value, field.get_default(call_default_factory=True))
