"""Read the secrets that a configuration keeps in files of their own: every secret setting has a form in `_file`."""

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

# No key is longer; stops a wrong path such as a log or a device.
_MAX_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Kind:
    """A setting that names a file, and the setting that its contents become."""

    name: str
    becomes: str
    several: bool

    @property
    def expected(self) -> str:
        """Say what the file should be."""
        if self.several:
            return "the path of a readable text file with a key on each line"
        what = self.becomes.removeprefix("api_").replace("_", " ")
        return f"the path of a readable text file with nothing but the {what} in it"

    def contents(self, text: str) -> object:
        """Return what stands in the file."""
        return [line.strip() for line in text.splitlines() if line.strip()] if self.several else text.strip()


def with_secret_files(tree: Tree, folder: Path, origins: Origins) -> tuple[Tree, dict[Loc, Problem]]:
    """Copy `tree` with each `api_key_file` read into `api_key`, each `token_file` into `token`, and so on.

    A relative path starts at `folder`. Line breaks and spaces around keys are dropped, and so are empty lines.
    """
    problems: dict[Loc, Problem] = {}
    gone: list[Loc] = []
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
            gone.append(loc)
    return without(tree, gone), problems


def _places(section: Mapping[str, object], around: Loc) -> Iterator[tuple[Loc, _Kind, Mapping[str, object]]]:
    """Yield where a file may be named: the kind of setting, and the section that it stands in."""
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
    """Return what the file adds to the settings of its provider: nothing if none is named."""
    path = provider.get(kind.name)
    if not isinstance(path, str) or not path.strip():  # absent, or of a wrong type that the schema reports
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
