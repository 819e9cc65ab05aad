"""Read secrets from files: every secret setting has a variant with the suffix `_file`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.config.origins import Origins
from app.config.problems import dotted, shown
from app.config.schema import Settings
from app.config.shapes import FILE_SUFFIX, secret_in_file, shape_at
from app.config.trees import Loc, Tree, merged, without
from app.core.configuration import Problem

# Longer than any key; protects against a wrong path, such as a log or a device.
_MAX_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Kind:
    """A setting that names a file, and the setting that gets the contents."""

    name: str
    becomes: str
    several: bool

    @property
    def expected(self) -> str:
        """Describe what the file must contain."""
        if self.several:
            return "the path of a readable text file with a key on each line"
        what = self.becomes.removeprefix("api_").replace("_", " ")
        return f"the path of a readable text file with nothing but the {what} in it"

    def contents(self, text: str) -> object:
        """Return the secret, or the list of secrets, in the text of the file."""
        return [line.strip() for line in text.splitlines() if line.strip()] if self.several else text.strip()


def with_secret_files(tree: Tree, folder: Path, origins: Origins) -> tuple[Tree, dict[Loc, Problem]]:
    """Return a copy of `tree` with each `api_key_file` read into `api_key`, each `token_file` into `token`, and so on.

    Relative paths are relative to `folder`. Spaces around keys and empty lines are dropped.
    """
    problems: dict[Loc, Problem] = {}
    consumed: list[Loc] = []
    for loc, kind, section in list(_places(tree, ())):
        try:
            read = _contents(kind, section, folder)
        except _UnusableError as error:
            value = error.value or shown(loc, section[kind.name])
            problems[loc] = Problem(dotted(loc), value, error.expected, error.suggestion, origins.of(loc))
        else:
            for part in reversed(loc[:-1]):
                read = {str(part): read}
            tree = merged(tree, read)
        if isinstance(section[kind.name], str | None) and shape_at(Settings, loc) is None:
            consumed.append(loc)
    return without(tree, consumed), problems


def _places(section: Mapping[str, object], around: Loc) -> Iterator[tuple[Loc, _Kind, Mapping[str, object]]]:
    """Yield the location of each setting that names a file, its kind, and the section that contains it."""
    for name, value in section.items():
        loc = (*around, name)
        if isinstance(value, dict):
            yield from _places(value, loc)
        elif (secret := secret_in_file(Settings, loc)) is not None:
            yield loc, _Kind(name, name.removesuffix(FILE_SUFFIX), not secret.is_scalar), section


class _UnusableError(Exception):
    def __init__(self, value: str, expected: str, suggestion: str) -> None:
        super().__init__(expected)
        self.value = value
        self.expected = expected
        self.suggestion = suggestion


def _contents(kind: _Kind, provider: Mapping[str, object], folder: Path) -> Tree:
    """Return the setting that the file provides; empty if none is named."""
    path = provider.get(kind.name)
    if not isinstance(path, str) or not path.strip():  # absent, or of a wrong type, which the schema reports
        return {}
    if provider.get(kind.becomes):
        expected = f"either {kind.becomes} or {kind.name}"
        raise _UnusableError(f"{kind.becomes} is set as well", expected, "remove one of the two")
    try:
        return {kind.becomes: kind.contents(_read(folder / path.strip()))}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _UnusableError("", kind.expected, f"check the path and its permissions: {reason}") from None


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
