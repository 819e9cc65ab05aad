"""Read a configuration file, and detect whether it has changed. A file that cannot be read is one problem."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Never, TypeAlias

import yaml

from app.config.problems import shown_key
from app.config.trees import Tree
from app.core.configuration import ConfigError, Problem

# Far above any real configuration; stops recursive and exponentially growing YAML aliases.
_MAX_VALUES: Final = 100_000
_MAX_DEPTH: Final = 32


Seen: TypeAlias = tuple[object, ...]  # opaque; only for comparison


class _SyntaxProblem(Exception):  # noqa: N818 - becomes a Problem, never leaves this module
    """A syntax error; `place` is a line and column, or empty."""

    def __init__(self, reason: str, place: str = "", advice: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.advice = advice or "correct the text there, or on the line before"


def read_file(path: Path) -> Tree:
    """Read the mapping in a YAML, TOML or JSON file, as its suffix says; an empty file is an empty mapping.

    Raises:
        ConfigError: The file is missing, unreadable, malformed, or not a mapping.
    """
    file = str(path)
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        _refuse(file, "a file name that ends in .yaml, .yml, .toml or .json", "rename the file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        _refuse(file, "a readable configuration file", f"check the path and its permissions: {reason}")
    except UnicodeDecodeError:
        _refuse(file, "a text file in UTF-8", "save the file as UTF-8")
    return _mapping(parse, text, path) if text.strip() else {}


def _mapping(parse: Callable[[str], object], text: str, path: Path) -> Tree:
    language = "YAML" if path.suffix.lower() in {".yaml", ".yml"} else path.suffix[1:].upper()
    try:
        tree = parse(text)
        _check_size(tree)
    except _SyntaxProblem as error:
        _refuse(error.reason, f"valid {language}", error.advice, str(path), error.place)
    except RecursionError:
        _refuse(
            "nested too deeply",
            f"at most {_MAX_DEPTH} levels",
            "flatten the file",
            str(path),
        )
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        kind = "a list" if isinstance(tree, list) else "a single value"
        _refuse(
            kind,
            "a mapping of sections, such as server and providers",
            "see config.example.yaml",
            str(path),
        )
    return tree


def _refuse(value: str, expected: str, suggestion: str, file: str | None = None, place: str = "") -> Never:
    raise ConfigError([Problem(place or "configuration file", value, expected, suggestion, file)]) from None


def _check_size(tree: object) -> None:
    waiting = [(tree, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        seen += len(inner)
        if depth > _MAX_DEPTH or seen > _MAX_VALUES:
            bounds = f"{_MAX_DEPTH} levels and {_MAX_VALUES} values"
            advice = f"keep it below {bounds}; a YAML alias (*name) may contain itself"
            raise _SyntaxProblem("nested too deeply or too large", advice=advice)
        waiting.extend((item, depth + 1) for item in inner)


class _StrictLoader(yaml.SafeLoader):
    """The safe loader, which also refuses duplicate keys."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - a text; its stub says mapping
        """Compose the mapping; checked here, before merge keys (<<) add keys that may legally repeat."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _repeated(key.value, _place(key.start_mark))
            seen.add(key.value)
        return node


def _parse_yaml(text: str) -> object:
    try:
        loader = _StrictLoader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and text[: mark.index].endswith("$"):  # inside braces or brackets YAML interprets the `{` itself
            raise _SyntaxProblem("${…} without quotes", _place(mark), 'put it in quotes: "${NAME}"') from error
        if mark and text[mark.index : mark.index + 1] == "\t":
            raise _SyntaxProblem("a tab", _place(mark), "indent with spaces") from error
        if mark and text[mark.index :].startswith("---"):
            raise _SyntaxProblem("a second document", _place(mark), "keep what stands before the ---") from error
        raise _SyntaxProblem(_without_quotes(error.problem or "malformed"), _place(mark)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _SyntaxProblem("a character that YAML does not allow", f"line {line}") from error
    except ValueError as error:  # an impossible date or number; its text may be a secret
        raise _SyntaxProblem("a date or number that does not exist; put texts in quotes") from error


def _parse_toml(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        raise _SyntaxProblem(_without_quotes(reason), place.rstrip(")")) from error


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise _SyntaxProblem(error.msg, f"line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise _SyntaxProblem("a number with too many digits") from error


def _distinct(pairs: list[tuple[str, object]]) -> Tree:
    result: Tree = {}
    for key, value in pairs:
        if key in result:
            raise _repeated(key)
        result[key] = value
    return result


def _repeated(key: str, place: str = "") -> _SyntaxProblem:
    return _SyntaxProblem(f"the key {shown_key(key)!r} for the second time", place, "remove one")


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _without_quotes(reason: str) -> str:
    # Parsers quote the text at the error, which can be a key or a password without quotes: only single characters and
    # the names of tokens ('<stream end>') are kept.
    return re.sub(r"('[^']'|'<[^']*>')|['\"].*", lambda match: match[1] or "…", reason, flags=re.DOTALL)


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {".yaml": _parse_yaml, ".yml": _parse_yaml, ".toml": _parse_toml, ".json": _parse_json}
)


def seen(files: Iterable[Path]) -> Seen:
    """Return a fingerprint of the state of files, without reading them; it includes link targets, as in Kubernetes."""
    return tuple([_file_state(file) for file in files])


def _file_state(file: Path) -> object:
    try:
        status = file.stat()
    except OSError as error:
        return (str(file), error.errno)
    return (str(file), os.path.realpath(file), status.st_ino, status.st_mtime_ns, status.st_size)
