"""Read settings from environment variables: `WIZARD_` and the path, its parts joined by two underscores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from app.config.problems import did_you_mean, shown_key
from app.config.schema import Settings
from app.config.shapes import leaf_locs, secret_in_file, shape_at, shape_of_field
from app.config.trees import Loc, Tree, contains
from app.core.configuration import Problem

PREFIX: Final = "WIZARD_"
CONFIG_VARIABLE: Final = "WIZARD_CONFIG"
SEPARATOR: Final = "__"

# Kubernetes puts these into every pod for each Service whose name starts with "wizard".
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r"WIZARD(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_NOT_IN_SHELLS: Final = re.compile(r"[^a-z0-9]")
_SERVICE_PORT: Final = re.compile(r"WIZARD(_[A-Z0-9]+)*_PORT=(tcp|udp|sctp)://.*")


class _Variables(EnvSettingsSource):
    """The environment source of pydantic-settings, reading a given mapping instead of `os.environ`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        # Sorted, so WIZARD_A (a whole section as JSON) is read before WIZARD_A__B, which refines it.
        self._variables = dict(sorted(variables.items()))
        super().__init__(Settings, case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._variables, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - overrides
        """
        Parse a list or mapping as JSON, and a list of scalars also from comma-separated text.

        Anything else stays text, which the schema refuses with its path.
        """
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            entry = shape_of_field(field).entry
            listed = entry is not None and entry.is_scalar and not value.lstrip().startswith(("[", "{"))
            return [word.strip() for word in value.strip(", ").split(",")] if listed else value


def read_environment(environ: Mapping[str, str], mentioned: AbstractSet[str]) -> tuple[Tree, dict[Loc, Problem]]:
    """Read all settings in the environment.

    Args:
        environ: The environment. Empty variables count as not set; the text `null` is null.

        mentioned: Names that are used otherwise, such as in placeholders of the file; they need not be settings.

    Returns:
        The settings as a tree, and a problem for each unknown `WIZARD_` variable.
    """
    variables: dict[str, str] = {}
    problems: dict[Loc, Problem] = {}
    for name, value in environ.items():
        if not name.upper().startswith(PREFIX) or name == CONFIG_VARIABLE or _is_service_link(name, value):
            continue
        loc = _loc(name)
        if shape_at(Settings, loc) is not None or secret_in_file(Settings, loc) is not None:
            variables[name] = value
        elif name not in mentioned:
            problems[(name,)] = _unknown(name)
    return _Variables(variables)(), problems


def as_written(environment: Tree, written: Mapping[str, object]) -> Tree:
    """Give names from variables, which have only lower-case letters and underscores, their spelling in the file."""
    result: Tree = {}
    for key, value in environment.items():
        alike = [key] if key in written else [name for name in written if plain(name) == plain(key)]
        name = alike[0] if len(alike) == 1 else key
        below = written.get(name)
        result[name] = as_written(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def plain(name: str) -> str:
    """Return a name in the form of a shell variable, in lower case: `my_box` for `My-Box`."""
    return _NOT_IN_SHELLS.sub("_", name.lower())


def variable_name(loc: Loc) -> str:
    """Return the variable that sets the value at `loc`; list entries have none."""
    return PREFIX + SEPARATOR.join(str(part).upper() for part in loc)


@dataclass(frozen=True, slots=True)
class Origins:
    """The settings from the environment, and those from the file (or the embedded default) called `label`."""

    environment: Tree
    written: Tree
    names: Mapping[str, str]  # real names of all environment variables, by their plain form
    label: str

    def of(self, loc: Loc) -> str:
        """Return the origin of the value at `loc`, or of what surrounds it if it is missing."""
        for depth in range(len(loc), 0, -1):
            if contains(self.environment, loc[:depth]):
                return self._variable(loc[:depth])
            if contains(self.written, loc[:depth]):
                break
        return self.label

    def _variable(self, loc: Loc) -> str:
        candidates = (variable_name(loc[:depth]) for depth in range(len(loc), 0, -1))
        exact = next((self.names[name] for name in map(plain, candidates) if name in self.names), None)
        return f"environment variable {exact}" if exact else f"environment variables {variable_name(loc)}__…"


def _loc(name: str) -> Loc:
    return tuple(name[len(PREFIX) :].lower().split(SEPARATOR))


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_PORT.fullmatch(f"{name}={value}"))


def _unknown(name: str) -> Problem:
    loc = _loc(name)
    free_name = str(loc[1]) if len(loc) > 1 else "name"
    known = [CONFIG_VARIABLE, *(variable_name(leaf) for leaf in leaf_locs(Settings, free_name))]
    # An ambiguous name, such as WIZARD_PORT, most likely means the setting of the server.
    servers = variable_name(("server", *loc))
    lists = (loc[:depth] for depth in range(1, len(loc)) if (shape := shape_at(Settings, loc[:depth])) and shape.entry)
    whole = next((f"set the whole list, as JSON: {variable_name(listed)}" for listed in lists), None)
    return Problem(
        path=shown_key(name),
        value="(a text)",
        expected="the path of a setting: WIZARD_ and its parts joined by two underscores",
        suggestion=whole
        or did_you_mean(servers if servers in known else name, known)
        or "unset it; docs/configuration.md explains the names",
        file=f"environment variable {shown_key(name)}",
    )
