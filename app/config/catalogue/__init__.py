"""Read the catalogue: the built-in files, or an operator's file in the format of `models.json`."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from app.core.catalogue import Catalogue, Entry, Family

_FOLDER: Final = Path(__file__).parent


class CatalogueError(Exception):
    """A file is not a valid catalogue; the message says why."""


class _Models(msgspec.Struct, frozen=True):
    version: str
    kinds: dict[str, list[Entry]]
    source: str = ""


class _Families(msgspec.Struct, frozen=True):
    version: str
    family: list[Family]


@lru_cache(maxsize=4)
def read_catalogue(path: Path | None = None) -> Catalogue:
    """
    Return the catalogue at `path`, or the built-in one. Cached for the life of the process.

    Raises:
        CatalogueError: The file cannot be read, or is invalid.
    """
    try:
        raw = (path or _FOLDER / "models.json").read_bytes()
        models = msgspec.json.decode(raw, type=_Models)
        for entries in models.kinds.values():
            for entry in entries if path is not None else ():
                re.compile(entry.match or "")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, re.error) as error:
        reason = type(error).__name__ if isinstance(error, OSError) else str(error)
        raise CatalogueError(reason) from error
    with (_FOLDER / "families.toml").open("rb") as file:
        families = msgspec.convert(tomllib.load(file), _Families)
    return Catalogue(models.version, models.kinds, families.family)
