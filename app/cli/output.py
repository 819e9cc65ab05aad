"""Output of the verbs: tables for people, with colour on terminals that show it, or JSON for programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import msgspec

from app.config.surroundings import wants_colour

_PAINT: Final = re.compile("\033\\[[0-9;]*m")


class Colour(Enum):
    """Text attributes, as ANSI codes."""

    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    QUIET = "2"


def painted(text: str, colour: Colour) -> str:
    """Return the text in a colour, if standard output shows colours."""
    return f"\033[{colour.value}m{text}\033[0m" if wants_colour(sys.stdout) else text


def print_json(document: object) -> None:
    """Print one JSON document."""
    print(msgspec.json.format(msgspec.json.encode(document)).decode())


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table with columns as wide as their contents."""
    lines = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *lines, strict=True)]
    print(painted(_line(heads, widths), Colour.QUIET))
    for line in lines:
        print(_line(line, widths))


def print_facts(facts: Mapping[str, Any], indent: str = "") -> None:
    """Print names and values; nested ones are indented."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            print_facts(value, f"{indent}  ")
        else:
            print(f"{indent}{name:<24} {shown(value)}".rstrip())


def print_answer(answer: Any, show: Callable[[Any], None] = print_facts, *, as_json: bool) -> None:  # noqa: ANN401 - JSON
    """Print an answer as JSON, or by `show` for people."""
    (print_json if as_json else show)(answer)


def shown(value: object) -> str:
    """Format a value for people."""
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]).rstrip()


def _width(cell: str) -> int:
    return len(_PAINT.sub("", cell))
