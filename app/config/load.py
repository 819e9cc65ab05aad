"""Find, read and check the configuration: the entry point of this package.

The environment overrides the file, which overrides the defaults. All problems are reported at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError
from pydantic_settings import InitSettingsSource

from app.config.checks import Names, cross_check
from app.config.environment import CONFIG_VARIABLE, Origins, as_written, plain, read_environment
from app.config.explain import explain
from app.config.files import Seen, read_file, seen
from app.config.placeholders import Filler
from app.config.presets import PRESETS
from app.config.schema import Settings
from app.config.secret_files import with_secret_files
from app.config.surroundings import TOKEN_VARIABLE, operator_token
from app.config.trees import Loc, Tree, contains, merged, text_keys, without
from app.core.configuration import ConfigError, Problem

EMBEDDED: Final = "embedded default"
_LOCAL_FILE: Final = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    A valid configuration: its settings, the file (or `embedded default`) they came from, and its digest.

    `files` are all files that were read, those of secrets included; `seen` is their state right after reading.
    """

    settings: Settings
    source: str
    digest: str
    files: tuple[Path, ...] = ()
    seen: Seen = ()


def find(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Choose the file to read: `path`, else `WIZARD_CONFIG`, else ./config.yaml; None means the embedded default."""
    if path is not None:
        return path
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    # A directory or a broken link, as after a wrong mount, counts too: it must fail, not start the embedded default.
    return _LOCAL_FILE if os.path.lexists(_LOCAL_FILE) else None


def embedded(environ: Mapping[str, str]) -> Tree:
    """Build the configuration that needs no file: `sim`, and each preset whose key is in the environment."""
    providers: Tree = {"sim": {"kind": "sim", "models": ["echo"]}}
    for name, preset in PRESETS.items():
        settings = preset.found_in(environ) if preset.automatic and preset.key_env else None
        if settings is not None:
            providers[name] = {"kind": name, "discover": True, **settings}
    return {"providers": providers}


def load(
    path: Path | None,
    environ: Mapping[str, str] = os.environ,
    extra: Mapping[str, object] | None = None,
) -> Loaded:
    """Read, merge and check the whole configuration.

    Args:
        path: The file named on the command line, if any; `find` decides which file is read.

        environ: The environment: settings, placeholders, and the keys of the embedded default.

        extra: Settings with the lowest precedence, below the file (or embedded default), such as providers that were
            found running on this machine.

    Raises:
        ConfigError: With every problem at once; only a file that cannot be read or parsed is reported alone.
    """
    file = find(path, environ)
    label = str(file) if file else EMBEDDED
    written, unfilled, mentioned = _written(file, environ)
    environment, unknown = read_environment(environ, mentioned | {TOKEN_VARIABLE})
    environment = as_written(environment, written)
    origins = Origins(environment, written, {plain(name): name.upper() for name in environ}, label)
    # An unfilled placeholder does not matter if the environment sets the value.
    problems = {loc: problem for loc, problem in unfilled.items() if not contains(environment, loc)}
    tree = merged(merged(extra or {}, written), environment)
    files = _files(file, tree)
    tree, unread = with_secret_files(tree, file.parent if file else Path(), origins)
    if token := operator_token(environ):
        tree = merged({"admin": {"token": token}}, tree)
    settings, refused = _validated(tree, origins)
    names = Names(text_keys(tree, "providers"), text_keys(tree, "models"))
    later_problems = (unread, refused, cross_check(settings, names, origins, {*problems, *unread, *refused}), unknown)
    for more in later_problems:
        problems = {**more, **problems}  # at one location the first problem is the cause of the others
    if problems:
        raise ConfigError(sorted(problems.values(), key=lambda problem: problem.path))
    return Loaded(settings, label, digest(settings), files, seen(files))


@dataclass(frozen=True, slots=True)
class Source:
    """
    A configuration that can be read at any time, in any worker process.

    `overrides` are environment variables set by command-line flags, with precedence over the real ones. `found` has
    the lowest precedence: providers discovered on this machine if there was no file.
    """

    path: Path | None
    overrides: Mapping[str, str]
    found: Mapping[str, object]

    def read(self) -> Loaded:
        """
        Read the current configuration.

        Raises:
            ConfigError: With every problem at once.
        """
        return load(self.path, {**os.environ, **self.overrides}, self.found)


def digest(settings: Settings) -> str:
    """Return the first 16 hex digits of a SHA-256 of the effective settings; secrets count, but cannot be recovered."""
    canonical = json.dumps(settings.model_dump(), sort_keys=True, default=_plain)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _plain(value: SecretStr | frozenset[str]) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else sorted(value)


def _written(file: Path | None, environ: Mapping[str, str]) -> tuple[Tree, dict[Loc, Problem], AbstractSet[str]]:
    if file is None:
        return embedded(environ), {}, frozenset()
    filler = Filler(environ, str(file))
    tree = filler.fill(read_file(file))
    # A section whose lines are all commented out parses as null, and has its defaults; x-… keys are for YAML anchors.
    sections = {name: section for name, section in tree.items() if section is not None and not name.startswith("x-")}
    return sections, filler.problems, filler.names


def _files(file: Path | None, tree: Tree) -> tuple[Path, ...]:
    if file is None:
        return ()
    return (file, *dict.fromkeys(file.parent / path.strip() for path in _named_files(tree)))


def _named_files(tree: object) -> Iterator[str]:
    """Yield the paths in settings that name a file with a secret, recognized by their names (`_file`)."""
    if isinstance(tree, list):
        for entry in tree:
            yield from _named_files(entry)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if str(key).endswith("_file") and isinstance(value, str) and value.strip():
                yield value
            else:
                yield from _named_files(value)


def _validated(tree: Tree, origins: Origins) -> tuple[Settings, dict[Loc, Problem]]:
    try:
        return _settings(tree), {}
    except ValidationError as error:
        problems = explain(error, Settings, origins)
    return _rest(tree, problems), problems


def _rest(tree: Tree, wrong: Iterable[Loc]) -> Settings:
    """Return the settings without those that are `wrong`, and as little else as possible, to check the rest."""
    while True:
        rest = without(tree, filter(None, wrong))
        if rest == tree:  # below a key that pydantic cannot report, such as half of a surrogate pair
            return Settings()
        try:
            return _settings(rest)
        except ValidationError as error:  # something required was removed, so remove what surrounds it as well
            tree, wrong = rest, [detail["loc"][:-1] for detail in error.errors(include_url=False)]


def _settings(tree: Tree) -> Settings:
    # As a source, because arguments could collide with those of pydantic-settings (`_env_file`).
    build: Callable[..., Settings] = Settings
    return build(_build_sources=((InitSettingsSource(Settings, tree),), {}))
