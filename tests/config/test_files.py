"""Files that cannot be read or parsed are refused with their place, and never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.load import load
from app.core.configuration import ConfigError
from tests.config.cases import CANARY, problem

_BOUNDS = "keep it below 32 levels and 100000 values; a YAML alias (*name) may contain itself"


@pytest.mark.parametrize(
    ("name", "text", "place", "value"),
    [
        ("a.yaml", "server: {a: 1\n", "line 2, column 1", "expected ',' or '}', but got '<stream end>'"),
        ("a.yaml", "a: b: c\n", "line 1, column 5", "mapping values are not allowed here"),
        ("a.yaml", "a: \x07\n", "line 1", "a character that YAML does not allow"),
        (
            "a.yaml",
            "a: 2026-13-45\n",
            "configuration file",
            "a date or number that does not exist; put texts in quotes",
        ),
        ("a.yaml", "? [a, b]\n: 1\n", "line 1, column 3", "found unhashable key"),
        ("a.toml", "a = 1\nb =\n", "line 2, column 4", "Invalid value"),
        ("a.toml", "a = 1\na = 2\n", "line 2, column 6", "Cannot overwrite a value"),
        ("a.json", '{"a": 1,\n "b" 2}', "line 2, column 6", "Expecting ':' delimiter"),
        ("a.json", f'{{"a": {"1" * 5000}}}', "configuration file", "a number with too many digits"),
    ],
)
def test_a_syntax_error_has_its_place(tmp_path: Path, name: str, text: str, place: str, value: str) -> None:
    """Line and column lead to the mistake, and the reason says what it is."""
    found = problem(tmp_path, text, name=name)

    assert (place, value) == (found.path, found.value)
    assert found.expected == f"valid {name[2:].upper()}"
    assert found.suggestion == "correct the text there, or on the line before"
    assert found.file == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "place", "value", "suggestion"),
    [
        (
            "a.yaml",
            "a:\n  b: 1\n  b: 2\n",
            "line 3, column 3",
            "the key 'b' for the second time",
            "remove one",
        ),
        (
            "a.json",
            '{"a": 1, "a": 2}',
            "configuration file",
            "the key 'a' for the second time",
            "remove one",
        ),
        ("a.yaml", "server:\n\tport: 1\n", "line 2, column 1", "a tab", "indent with spaces"),
        ("a.yaml", "a: 1\n---\nb: 2\n", "line 2, column 1", "a second document", "keep what stands before the ---"),
    ],
)
def test_a_usual_mistake_has_its_remedy(
    tmp_path: Path, name: str, text: str, place: str, value: str, suggestion: str
) -> None:
    """The reader learns what to do instead of what the parser expected."""
    found = problem(tmp_path, text, name=name)

    assert (place, value, suggestion) == (found.path, found.value, found.suggestion)


@pytest.mark.parametrize("text", ["server: {port: ${PORT:-1}}", "server:\n  hosts: [${A}, ${B}]"])
def test_a_placeholder_needs_quotes_among_braces(tmp_path: Path, text: str) -> None:
    """There YAML reads its brace, and the reader learns what to do instead of what YAML expected."""
    found = problem(tmp_path, text)

    assert (found.value, found.suggestion) == ("${…} without quotes", 'put it in quotes: "${NAME}"')


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "a: &a {b: *a}", "[" * 40 + "]" * 40, "a: " + "{b: " * 40 + "1" + "}" * 40]
)
def test_what_contains_itself_is_refused(tmp_path: Path, text: str) -> None:
    """A loop of YAML aliases, or nesting without end, is a problem and not a hang."""
    found = problem(tmp_path, text)

    assert (found.value, found.suggestion) == ("nested too deeply or too large", _BOUNDS)


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    """Ten short lines can mean a billion values; they are counted before anything walks them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    found = problem(tmp_path, "\n".join(lines))

    assert "too large" in found.value


@pytest.mark.parametrize(("name", "text"), [("a.json", "[" * 100_000), ("a.yaml", "[" * 600)])
def test_depth_beyond_the_parser_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """A parser that runs out of stack is a problem like any other."""
    found = problem(tmp_path, text, name=name)

    assert ("nested too deeply", "at most 32 levels") == (found.value, found.expected)


def test_aliases_and_merge_keys_work(tmp_path: Path) -> None:
    """YAML may share values, and a merged key may be overridden without counting as twice."""
    text = "providers: {a: &a {kind: sim, models: [x]}, b: &b {<<: *a, models: [y]}, c: {<<: *b, models: [z]}}"
    (tmp_path / "a.yaml").write_text(text)

    settings = load(tmp_path / "a.yaml", {}).settings

    assert [("x",), ("y",), ("z",)] == [provider.models for provider in settings.providers.values()]


@pytest.mark.parametrize(
    ("text", "kind"), [("- a\n", "a list"), ("text\n", "a single value"), ("5\n", "a single value")]
)
def test_the_top_must_be_a_mapping(tmp_path: Path, text: str, kind: str) -> None:
    """A file that holds something else is refused as a whole."""
    found = problem(tmp_path, text)

    assert ("configuration file", kind) == (found.path, found.value)
    assert found.expected == "a mapping of sections, such as server and providers"
    assert found.suggestion == "see config.example.yaml"


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A path that leads nowhere is named, with the reason of the system."""
    path = tmp_path / "none.yaml"

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    (found,) = caught.value.problems
    assert ("configuration file", str(path)) == (found.path, found.value)
    assert found.expected == "a readable configuration file"
    assert found.suggestion == "check the path and its permissions: No such file or directory"


def test_an_unknown_suffix_is_a_problem(tmp_path: Path) -> None:
    """The format is chosen by the suffix, so there must be a known one."""
    found = problem(tmp_path, "", name="wizard.conf")

    assert found.expected == "a file name that ends in .yaml, .yml, .toml or .json"
    assert found.suggestion == "rename the file"


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    """Configuration files are UTF-8."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff\xfe")

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert "a text file in UTF-8" == caught.value.problems[0].expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", f"api_key: *{CANARY}"),
        ("a.yaml", f"api_key: !{CANARY} x"),
        ("a.yaml", f"api_key: '{CANARY}"),
        ("a.yaml", f"api_key:{CANARY}\nx: 1"),
        ("a.yaml", f"{{api_key:{CANARY}: 1, api_key:{CANARY}: 2}}"),
        ("a.yaml", f"api_key: !!int {CANARY}"),
        ("a.toml", f"api_key = {CANARY}"),
        ("a.json", f'{{"api_key": {CANARY}}}'),
    ],
)
def test_a_syntax_error_never_shows_the_text(tmp_path: Path, name: str, text: str) -> None:
    """A key or password that lacks its quotes breaks the syntax, and must not be repeated in the message."""
    found = problem(tmp_path, text, name=name)

    assert "CANARY" not in str(found)
