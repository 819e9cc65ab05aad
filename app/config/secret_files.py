"""Read the keys that a configuration keeps in files of their own (`api_key_file`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.config.origins import Origins
from app.config.problems import Problem, dotted, shown
from app.config.trees import Loc, Tree, merged

# No key is longer; stops a wrong path such as a log or a device.
_MAX_CHARS: Final = 16_384


def with_secret_files(tree: Tree, folder: Path, origins: Origins) -> tuple[Tree, dict[Loc, Problem]]:
    """Copy `tree` with each `api_key_file` read into `api_key`.

    A relative path starts at `folder`. Line breaks and spaces around the key are dropped.
    """
    problems: dict[Loc, Problem] = {}
    providers = tree.get("providers")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        path = provider.get("api_key_file") if isinstance(provider, dict) else None
        if not isinstance(path, str) or not path.strip():  # absent, or of a wrong type that the schema reports
            continue
        loc = ("providers", name, "api_key_file")
        if provider.get("api_key"):
            problem = ("api_key is set as well", "either api_key or api_key_file", "remove one of the two")
            problems[loc] = Problem(dotted(loc), *problem, origins.of(loc))
            continue
        try:
            tree = merged(tree, {"providers": {name: {"api_key": _read(folder / path.strip())}}})
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            expected = "the path of a readable text file with nothing but the key in it"
            suggestion = f"check the path and its permissions: {reason}"
            problems[loc] = Problem(dotted(loc), shown(loc, path), expected, suggestion, origins.of(loc))
    return tree, problems


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
