"""Read secrets from files: every secret setting has a variant with the suffix `_file`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.config.environment import Origins
from app.config.problems import dotted, shown
from app.config.schema import Settings
from app.config.shapes import FILE_SUFFIX, secret_in_file, shape_at
from app.config.trees import Loc, Tree, merged, without
from app.core.configuration import Problem

# Longer than any key; protects against a wrong path, such as a log or a device.
_MAX_CHARS: Final = 16_384


def with_secret_files(tree: Tree, folder: Path, origins: Origins) -> tuple[Tree, dict[Loc, Problem]]:
    """Return a copy of `tree` with each `api_key_file` read into `api_key`, each `token_file` into `token`, and so on.

    Relative paths are relative to `folder`. Spaces around keys and empty lines are dropped.
    """
    problems: dict[Loc, Problem] = {}
    consumed: list[Loc] = []
    for (*around, name), section, is_list in list(_places(tree, ())):
        loc, path, becomes = (*around, name), section[name], name.removesuffix(FILE_SUFFIX)
        if isinstance(path, str | None) and shape_at(Settings, loc) is None:
            consumed.append(loc)
        if not isinstance(path, str) or not path.strip():  # null, or of a wrong type, which the schema reports
            continue
        if section.get(becomes):
            value, expected = f"{becomes} is set as well", f"either {becomes} or {name}"
            problems[loc] = Problem(dotted(loc), value, expected, "remove one of the two", origins.of(loc))
            continue
        try:
            text = _read(folder / path.strip())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            advice = f"check the path and its permissions: {reason}"
            expected = _expected(becomes, is_list=is_list)
            problems[loc] = Problem(dotted(loc), shown(loc, path), expected, advice, origins.of(loc))
        else:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            read: Tree = {becomes: lines if is_list else text}
            for part in reversed(around):
                read = {part: read}
            tree = merged(tree, read)
    return without(tree, consumed), problems


def _places(section: Tree, around: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Tree, bool]]:
    """Yield each setting that names a file: its location, its section, and whether the file has a list of secrets."""
    for name, value in section.items():
        loc = (*around, name)
        if isinstance(value, dict):
            yield from _places(value, loc)
        elif (secret := secret_in_file(Settings, loc)) is not None:
            yield loc, section, not secret.is_scalar


def _expected(becomes: str, *, is_list: bool) -> str:
    if is_list:
        return "the path of a readable text file with a key on each line"
    what = becomes.removeprefix("api_").replace("_", " ")
    return f"the path of a readable text file with nothing but the {what} in it"


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_MAX_CHARS + 1)
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if len(text) > _MAX_CHARS:
        raise ValueError("it is too long for a key")
    if not text.strip():
        raise ValueError("it is empty")
    return text.strip()
