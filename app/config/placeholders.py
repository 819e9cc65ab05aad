"""Fill placeholders of a configuration file: `${NAME}` and `${NAME:-default}` from the environment, `${source:…}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from app.config.plugins import SECRETS, PluginError
from app.config.problems import did_you_mean, dotted, kind_of, shown_key
from app.config.trees import Loc, Tree
from app.core.configuration import Problem

# Braces in a default must be balanced, as in JSON and in placeholders; otherwise the first closing brace ends it.
_PLACEHOLDER: Final = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^}])*))?\}"
    r"|\$\{(?P<source>[a-z][a-z0-9_-]*):(?P<reference>[^}]+)\}"
    r"|(?P<broken>\$\{)"
)
_NESTED_MAX: Final = 8  # defaults within defaults; deeper nesting is a mistake, and each level is scanned again
_UNCLOSED: Final = re.compile(r"(?P<escaped>\$\$\{)|(?P<broken>\$\{)")


class Filler:
    """Fills the texts in the tree of one file, and collects problems instead of stopping.

    Text stays text: the schema turns `"8080"` into a number where it needs one, so an API key of digits stays text.
    """

    def __init__(self, environ: Mapping[str, str], file: str) -> None:
        self._environ = environ
        self._file = file
        self.problems: dict[Loc, Problem] = {}
        self.names: set[str] = set()

    def fill(self, tree: Tree) -> Tree:
        """Return a copy of `tree` with filled texts, and keys as text; sets `problems` and `names`."""
        return self._mapping(tree, ())

    def _mapping(self, tree: Mapping[Any, object], loc: Loc) -> Tree:
        return {self._key(key, loc): self._value(value, (*loc, str(key))) for key, value in tree.items()}

    def _value(self, value: object, loc: Loc) -> object:
        if isinstance(value, str):
            return self._text(value, loc)
        if isinstance(value, dict):
            return self._mapping(value, loc)
        if isinstance(value, list):
            return [self._value(item, (*loc, index)) for index, item in enumerate(value)]
        return value

    def _key(self, key: object, loc: Loc) -> str:
        if not isinstance(key, str):
            suggestion = "put the key in quotes"
            if isinstance(key, bool):
                suggestion += ": YAML reads bare on, off, yes and no as true and false"
            self._report((*loc, str(key)), f"the key {kind_of(key)}", "a text as the key", suggestion)
        return str(key)

    def _text(self, text: str, loc: Loc, depth: int = 0) -> str:
        if depth > _NESTED_MAX:
            self._report(
                loc,
                "${…",
                f"at most {_NESTED_MAX} placeholders within each other",
                "set the variables, and keep the defaults plain",
            )
            return text

        def replacement(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "${"
            if match["broken"]:
                self._report(loc, "${…", "${NAME} or ${NAME:-default}", "write $${ where you mean a literal ${")
                return match.group()
            return self._secret(match, loc) if match["source"] else self._variable(match, loc, depth)

        last = text.rfind("}") + 1  # nothing closes behind it, and looking for that would take quadratic time
        return _PLACEHOLDER.sub(replacement, text[:last]) + _UNCLOSED.sub(replacement, text[last:])

    def _variable(self, match: re.Match[str], loc: Loc, depth: int) -> str:
        name, default = match["name"], match["default"]
        self.names.add(name)
        value = self._environ.get(name)
        if default is not None:
            return value or self._text(default, loc, depth + 1)
        if value is None:
            close = did_you_mean(name, (known for known in self._environ if "_" in known))
            suggestion = f"export {name}, or write ${{{name}:-}} where it may stay empty"
            self._report(
                loc,
                f"${{{shown_key(name)}}}",
                f"the environment variable {name} to be set",
                f"{close} Otherwise {suggestion}" if close else suggestion,
            )
            return match.group()
        return value

    def _secret(self, match: re.Match[str], loc: Loc) -> str:
        source, value = match["source"], f"${{{match['source']}:…}}"
        try:
            return SECRETS.load(source)(match["reference"])
        except PluginError as error:
            offered = ", ".join(SECRETS.names) or "none is installed"
            expected = f"a source of secrets ({offered})" if error.unknown else f"a source that works: {error}"
            self._report(loc, value, expected, f"install the package that offers it (entry points of {SECRETS.group})")
        except (LookupError, OSError, ValueError) as error:  # its message may contain a secret
            self._report(loc, value, "a secret that is there", f"look at {source}: it says {type(error).__name__}")
        return match.group()

    def _report(self, loc: Loc, value: str, expected: str, suggestion: str) -> None:
        self.problems.setdefault(loc, Problem(dotted(loc), value, expected, suggestion, self._file))
