"""
Write the parts of docs/ that are made from the code: settings, errors, the HTTP interface, the list of decisions.

    .venv/bin/python .ci/pages.py            writes them anew
    .venv/bin/python .ci/pages.py --check    says which are stale, and leaves with 1 if any is

A page keeps what people wrote: only what stands between `<!-- made: NAME -->` and `<!-- end -->` is exchanged.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import PydanticUndefined

from app.api.app import Api, Door
from app.api.hot import Desk
from app.cli.reading import Offline
from app.config.schema import Settings
from app.config.shapes import Shape, expectation, shape_at
from app.config.showing import words
from app.config.trees import Loc
from app.core.clock import SystemClock
from app.core.errors import KINDS
from app.core.gateway import Gateway

DOCS = Path(__file__).parents[1] / "docs"
METHODS = ("get", "post", "put", "patch", "delete")


# --- settings --------------------------------------------------------------------------------------------------------


def settings(_docs: Path) -> str:
    """Return a table for each section of the configuration, in the order of the schema."""
    return "\n".join(line for loc in sections(()) for line in section(loc)) + "\n"


def sections(loc: Loc) -> Iterator[Loc]:
    """List the places of all sections below `loc`, each before those inside it."""
    shape = shape_at(Settings, loc)
    for name in shape.fields if shape else ():
        for inner in ((*loc, name), (*loc, name, "*"), (*loc, name, 0)):
            found = shape_at(Settings, inner)
            if found is not None and found.fields:
                yield inner
                yield from sections(inner)
                break


def section(loc: Loc) -> Iterator[str]:
    """Write one section: its heading, what it is about, and its settings that are no sections themselves."""
    shape = shape_at(Settings, loc)
    assert shape is not None  # noqa: S101 - `sections` found it
    about = str(getattr(shape.annotation, "__doc__", "")).strip().splitlines()[0]
    yield f"\n{'#' * min(len([part for part in loc if part not in ('*', 0)]) + 1, 4)} `{place(loc)}`\n"
    yield f"{about}\n"
    rows = [row for name in shape.fields if (row := setting((*loc, name))) is not None]
    if rows:
        yield "| setting | takes | default | meaning |"
        yield "|---|---|---|---|"
        yield from rows


def setting(loc: Loc) -> str | None:
    """Write one setting as a row, or None if it is a section."""
    shape = shape_at(Settings, loc)
    if shape is None or shape.fields or shape.field is None:
        return None
    takes = escaped(expectation(shape))
    return f"| `{loc[-1]}` | {takes} | {default(loc, shape)} | {escaped(shape.field.description or '')} |"


def default(loc: Loc, shape: Shape) -> str:
    """Write the default of a setting, as it would stand in a file."""
    value = shape.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, Mapping):
        return "`{}`" if not value else f"`{escaped(str(dict(value)))}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{escaped(words(loc, value)) or '(empty)'}`"


def place(loc: Loc) -> str:
    """Write a place as configuration.md does: `models.*.targets[]`."""
    return ".".join(map(str, loc)).replace(".0", "[]")


def escaped(text: str) -> str:
    """Return text that may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


# --- errors ----------------------------------------------------------------------------------------------------------


def errors(_docs: Path) -> str:
    """Return the table of errors."""
    heads = "| code | status | kind | retry by the client | the gateway tries again | what to do |\n"
    return f"{heads}|---|---:|---|---|---|---|\n" + "".join(
        f"| `{kind.code}` | {kind.status} | {kind.category} | {'yes' if kind.retryable else 'no'} |"
        f" {kind.again.value} | {kind.suggestion} |\n"
        for kind in KINDS
    )


# --- the HTTP interface ----------------------------------------------------------------------------------------------


@dataclass
class Fixed:
    """Holds a gateway that is never exchanged."""

    current: Gateway


@asynccontextmanager
async def no_lifespan(_app: Api) -> AsyncIterator[None]:
    """Open nothing."""
    yield


async def no_metrics(_accept: str) -> tuple[str, bytes]:
    """Expose nothing."""
    return "text/plain", b""


def described() -> Mapping[str, Any]:
    """Return the OpenAPI document of a gateway with nothing but the scripted provider."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text("providers: {sim: {kind: sim}}\n", encoding="utf-8")
        offline = Offline(config)
    desk = Desk(Fixed(offline.gateway), lambda _signal: None, SystemClock())
    document = Api(desk, Door("1", 0, None, no_metrics), no_lifespan).openapi()
    asyncio.run(offline.aclose())
    return document


def endpoints(_docs: Path) -> str:
    """Return a chapter for each endpoint: what it is for, its parameters, the members of its body, its answers."""
    document = described()
    lines: list[str] = []
    for path, operations in document["paths"].items():
        for method in (name for name in METHODS if name in operations):
            lines += endpoint(f"{method.upper()} {path}", operations[method])
    return "\n".join(lines) + "\n"


def endpoint(title: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Write one endpoint."""
    yield f"\n## `{title}`\n"
    yield f"{operation['summary']}.\n".replace("?.", "?")
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | takes | |"
        yield "|---|---|---|---|"
        for each in parameters:
            about = escaped(each.get("description", ""))
            yield f"| `{each['name']}` | {each['in']} | {kind(each['schema'])} | {about} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body (`{media}`): {escaped(content.get('schema', {}).get('description', 'as below'))}\n"
        yield from members(content.get("schema", {}))
    answers = ", ".join(f"`{status}`" for status in operation["responses"])
    yield f"Answers: {answers}."


def members(schema: Mapping[str, Any]) -> Iterator[str]:
    """Write the members of a body."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    if not properties:
        return
    yield "| member | takes | |"
    yield "|---|---|---|"
    for name, inner in properties.items():
        must = "required. " if name in schema.get("required", ()) else ""
        yield f"| `{name}` | {kind(inner)} | {must}{escaped(inner.get('description', ''))} |"
    yield ""


def kind(schema: Mapping[str, Any]) -> str:
    """Say in a word or two what a schema takes."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " or ".join(dict.fromkeys(map(kind, schema[name])))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    given = schema.get("type", "anything")
    return " or ".join(given) if isinstance(given, list) else str(given)


# --- decisions -------------------------------------------------------------------------------------------------------


def decisions(docs: Path) -> str:
    """Return a list of the records of decisions."""
    found = sorted((docs / "decisions").glob("[0-9]*.md"))
    return "".join(
        f"- [{page.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}]({page.name})\n" for page in found
    )


PARTS: Mapping[str, tuple[str, Callable[[Path], str]]] = {
    "settings": ("settings.md", settings),
    "errors": ("errors.md", errors),
    "endpoints": ("api-reference.md", endpoints),
    "decisions": ("decisions/index.md", decisions),
}


def main(arguments: list[str]) -> int:
    """Write or check every part, in docs/ or the folder that is named; return 1 if one is stale and only checked."""
    docs = next((Path(each) for each in arguments if not each.startswith("-")), DOCS)
    stale = []
    for name, (file, make) in PARTS.items():
        page = docs / file
        before = page.read_text(encoding="utf-8")
        begin, end = f"<!-- made: {name} -->\n", "<!-- end -->"
        head, _, rest = before.partition(begin)
        after = head + begin + make(docs) + end + rest.partition(end)[2]
        if before != after:
            stale.append(file)
            if "--check" not in arguments:
                page.write_text(after, encoding="utf-8")
    written = "stale" if "--check" in arguments else "written"
    print(f"{len(PARTS)} made parts, {written}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
