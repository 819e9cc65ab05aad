"""Read the keys that a configuration keeps in files of their own (`api_key_file`, `api_keys_file`, `pepper_file`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.config.origins import Origins
from app.config.problems import Problem, dotted, shown
from app.config.trees import Loc, Tree, merged

# No key is longer; stops a wrong path such as a log or a device.
_MAX_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Kind:
    """A setting that names a file, and the setting that its contents become."""

    name: str
    becomes: str
    contents: Callable[[str], object]
    expected: str


_PROVIDER_KINDS: Final = (
    _Kind("api_key_file", "api_key", str.strip, "the path of a readable text file with nothing but the key in it"),
    _Kind(
        "api_keys_file",
        "api_keys",
        lambda text: [line.strip() for line in text.splitlines() if line.strip()],
        "the path of a readable text file with a key on each line",
    ),
)
_PEPPER: Final = _Kind(
    "pepper_file", "pepper", str.strip, "the path of a readable text file with nothing but the pepper in it"
)


def with_secret_files(tree: Tree, folder: Path, origins: Origins) -> tuple[Tree, dict[Loc, Problem]]:
    """Copy `tree` with each `api_key_file` read into `api_key`, each `api_keys_file` into `api_keys`, and so on.

    A relative path starts at `folder`. Line breaks and spaces around keys are dropped, and so are empty lines.
    """
    problems: dict[Loc, Problem] = {}
    for loc, kind, section in _places(tree):
        try:
            read = _contents(kind, section, folder)
        except _UnusableError as error:
            value = error.value or shown(loc, section[kind.name])
            problems[loc] = Problem(dotted(loc), value, error.expected, error.suggestion, origins.of(loc))
        else:
            for part in reversed(loc[:-1]):
                read = {str(part): read}
            tree = merged(tree, read)
    return tree, problems


def _places(tree: Tree) -> Iterator[tuple[Loc, _Kind, Mapping[str, object]]]:
    """Yield where a file may be named: the kind of setting, and the section that it stands in."""
    providers = tree.get("providers")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        for kind in _PROVIDER_KINDS if isinstance(provider, dict) else ():
            yield ("providers", name, kind.name), kind, provider
    auth = tree.get("auth")
    if isinstance(auth, dict):
        yield ("auth", _PEPPER.name), _PEPPER, auth


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
