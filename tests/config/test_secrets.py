"""Keys come from files, and never appear in what the configuration prints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from app.config.load import load
from app.config.problems import is_secret
from app.config.schema import Settings
from app.config.shapes import leaf_locs
from app.core.configuration import ConfigError, Problem
from tests.config.cases import CANARY, loaded, problem

Loc: TypeAlias = tuple[str | int, ...]

LEAVES = sorted(leaf_locs(Settings, "box"), key=str)


def nested(loc: Loc, value: object) -> object:
    """Build the tree that holds `value` at `loc`."""
    for part in reversed(loc):
        value = {part: value}
    return value


def variable(loc: Loc) -> str:
    """Return the name of the variable for a setting."""
    return f"WIZARD_{'__'.join(map(str, loc)).upper()}"


def said(file: Path, environ: dict[str, str]) -> str:
    """Load, and return what a person could get to see of it: the refusal, or the providers with their keys."""
    try:
        return repr(load(file, environ).settings.providers)
    except ConfigError as error:
        context = (error.__cause__, None if error.__suppress_context__ else error.__context__)
        return f"{error}{error!r}{error.problems!r}{context!r}"


def leaks(folder: Path, locs: Iterable[Loc], value: object) -> list[Loc]:
    """Load the value at each place, alone in its file, and return the places where it was shown."""
    file = folder / "a.json"
    found = []
    for loc in locs:
        file.write_text(json.dumps(nested(loc, value)))
        if "CANARY" in said(file, {"SECRET": CANARY}):
            found.append(loc)
    return found


@pytest.mark.parametrize("text", [CANARY, f"http://u:{CANARY}@h?{CANARY}", "${SECRET}"], ids=["bare", "url", "filled"])
def test_a_secret_in_any_place_is_never_shown(tmp_path: Path, text: str) -> None:
    """Whatever setting a key ends up in by mistake, in the file or filled in, no message repeats it."""
    shown = leaks(tmp_path, LEAVES, text)

    assert shown == []


@pytest.mark.parametrize("form", [[CANARY], {"x": CANARY}, {f"x:{CANARY}": 1}], ids=["list", "value", "name"])
def test_a_secret_of_the_wrong_shape_is_never_shown(tmp_path: Path, form: object) -> None:
    """The same holds for lists and sections in place of a value: each of them is told of, and none is repeated."""
    file = tmp_path / "a.json"
    tree: dict[str | int, Any] = {}
    for *sections, last in LEAVES:
        reduce(lambda section, name: section.setdefault(name, {}), sections, tree)[last] = form
    file.write_text(json.dumps(tree))

    text = said(file, {})

    assert text.count("\n") > len(LEAVES)
    assert "CANARY" not in text


def test_a_secret_in_any_variable_is_never_shown(tmp_path: Path) -> None:
    """The same holds for values that the environment gives directly."""
    file = tmp_path / "a.json"
    file.write_text("{}")

    shown = [loc for loc in LEAVES if "CANARY" in said(file, {variable(loc): CANARY, "WIZARD_X": CANARY})]

    assert shown == []


def test_a_secret_instead_of_a_section_is_never_shown(tmp_path: Path) -> None:
    """`api_key:sk-…` without its space makes a text of a whole section; the text is not repeated."""
    sections = {loc[:depth] for loc in LEAVES for depth in range(1, len(loc))}

    shown = leaks(tmp_path, sections, f"api_key:{CANARY}")

    assert shown == []


@pytest.mark.parametrize(
    ("loc", "secret"),
    [
        (("providers", "a", "api_key"), True),
        (("admin", "token"), True),
        (("keys",), True),
        (("keys", 0, "hash"), True),
        (("providers", "a", "headers", "x"), True),
        (("providers", "a", "api_key_file"), False),
        (("redis", "fail", "keys"), False),
        (("timeouts", "first_token_s"), False),
        (("models", "fast", "targets"), False),
        ((0,), False),
        ((), False),
    ],
)
def test_secrets_are_known_by_name(loc: Loc, secret: bool) -> None:
    """The last word of a name decides, so that timeouts and file names stay readable."""
    assert secret == is_secret(loc)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("${A:-b}") | st.just("${"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "other"]), JSON, max_size=4), st.data())
def test_any_tree_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object], data: st.DataObject
) -> None:
    """Nothing that a file or a variable can hold causes anything but a list of problems."""
    name = data.draw(st.sampled_from(["a.json", "a.yaml"]))
    loc = data.draw(st.sampled_from(LEAVES))
    file = tmp_path_factory.mktemp("any") / name
    file.write_text(json.dumps(tree), encoding="utf-8")
    environ = {variable(loc): data.draw(st.text(max_size=8) | JSON.map(json.dumps))}

    try:
        problems: tuple[Problem, ...] = ()
        load(file, environ)
    except ConfigError as error:
        problems = error.problems

    assert all(each.path and each.value and each.expected and each.suggestion for each in problems)


def test_reads_a_key_from_a_file(tmp_path: Path) -> None:
    """The file's contents, without the space around them, become the key; relative paths start at the folder."""
    (tmp_path / "key").write_text(f"\n {CANARY}\n")
    text = f"providers: {{a: {{kind: openai, api_key_file: key}}, b: {{kind: groq, api_key_file: '{tmp_path}/key'}}}}"

    result = loaded(tmp_path, text).settings

    assert [SecretStr(CANARY)] * 2 == [provider.api_key for provider in result.providers.values()]


def test_every_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """Its name with _file reads it, in the file and in a variable; reload watches what is named."""
    (tmp_path / "token").write_text("admin-token\n")
    (tmp_path / "redis").write_text("redis://:password@there:6379\n")
    text = """
admin: {token_file: token}
redaction: {hash_key_file: ${NONE:-token}}
guards: {injection: {classifier: {api_key_file: token}}, key_file: null}
providers: {cloud: {kind: bedrock, region: eu-central-1, aws_secret_access_key_file: token, aws_access_key_id: id}}
""".replace("${NONE:-token}", "'${NONE:-token}'")

    result = loaded(tmp_path, text, {"WIZARD_REDIS__URL_FILE": "redis", "WIZARD_ADMIN_TOKEN": "of nobody"})

    settings = result.settings
    token = SecretStr("admin-token")
    assert (settings.admin.token, settings.redaction.hash_key) == (token, token)
    assert settings.guards.injection.classifier.api_key == token
    assert settings.providers["cloud"].aws_secret_access_key == token
    assert settings.redis.url == SecretStr("redis://:password@there:6379")
    assert set(result.files) == {tmp_path / name for name in ("wizard.yaml", "token", "redis")}


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (
            "admin: {token_file: none}",
            "admin.token_file",
            "the path of a readable text file with nothing but the token in it",
        ),
        ("admin: {token_file: wizard.yaml, token: x}", "admin.token_file", "either token or token_file"),
        ("server: {host_file: wizard.yaml}", "server.host_file", "one of the keys host"),
    ],
)
def test_files_of_secrets_that_cannot_be_used(tmp_path: Path, text: str, path: str, expected: str) -> None:
    """Only secrets have such a form, and only one of two ways to give one may be used."""
    found = problem(tmp_path, text)

    assert found.path == path
    assert found.expected.startswith(expected)


def test_a_changed_key_file_changes_the_digest(tmp_path: Path) -> None:
    """Two gateways with different keys never look alike."""
    text = "providers: {a: {kind: openai, api_key_file: key}}"
    (tmp_path / "key").write_text("one")
    first = loaded(tmp_path, text)
    (tmp_path / "key").write_text("two")

    second = loaded(tmp_path, text)

    assert first.digest != second.digest


def test_an_empty_name_of_a_key_file_is_none(tmp_path: Path) -> None:
    """`${KEY_FILE:-}` may stay empty."""
    text = "providers: {a: {kind: openai, api_key_file: '${KEY_FILE:-}', api_key: '${KEY:-}'}}"

    provider = loaded(tmp_path, text).settings.providers["a"]

    assert (None, None) == (provider.api_key_file, provider.api_key)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (None, "No such file or directory"),
        (b" \n", "it is empty"),
        (b"\xff\xfe", "it is not text"),
        (b"x" * 20_000, "it is too long for a key"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_a_problem(tmp_path: Path, contents: bytes | None, reason: str) -> None:
    """The path and the reason are named, the contents never."""
    if contents is not None:
        (tmp_path / "key").write_bytes(contents)

    found = problem(tmp_path, "providers: {a: {kind: openai, api_key_file: ./key}}")

    assert ("providers.a.api_key_file", "'./key'") == (found.path, found.value)
    assert found.expected == "the path of a readable text file with nothing but the key in it"
    assert found.suggestion == f"check the path and its permissions: {reason}"


def test_a_key_file_with_more_than_a_key_is_a_problem(tmp_path: Path) -> None:
    """A file with several lines is no key."""
    (tmp_path / "key").write_text(f"OPENAI_API_KEY={CANARY}\nother line\n")

    found = problem(tmp_path, "providers: {a: {kind: openai, api_key_file: key}}")

    assert ("providers.a.api_key", "(hidden)") == (found.path, found.value)


def test_a_key_twice_is_a_problem(tmp_path: Path) -> None:
    """A key and a file with a key contradict each other."""
    found = problem(tmp_path, "providers: {a: {kind: openai, api_key: k, api_key_file: key}}")

    assert ("providers.a.api_key_file", "api_key is set as well") == (found.path, found.value)
    assert ("either api_key or api_key_file", "remove one of the two") == (found.expected, found.suggestion)


def test_a_key_file_must_be_a_text(tmp_path: Path) -> None:
    """A path that is no text is left to the schema."""
    found = problem(tmp_path, "providers: {a: {kind: openai, api_key_file: 12}}")

    assert ("providers.a.api_key_file", "put it in quotes") == (found.path, found.suggestion)


def test_reads_several_keys_from_a_file(tmp_path: Path) -> None:
    """Each line that is not empty becomes a key, in order."""
    (tmp_path / "keys").write_text(f"{CANARY}\n\n  second \nthird\n")

    provider = loaded(tmp_path, "providers: {a: {kind: openai, api_keys_file: keys}}").settings.providers["a"]

    assert [CANARY, "second", "third"] == [key.get_secret_value() for key in provider.api_keys]
    assert provider.api_key is None


def test_several_keys_come_from_a_list_or_a_variable(tmp_path: Path) -> None:
    """Placeholders are filled inside the list; a variable holds the list as JSON; the digest tells keys apart."""
    text = "providers: {a: {kind: openai, api_keys: ['${ONE}', two]}}"

    written = loaded(tmp_path, text, {"ONE": "one"})
    given = loaded(tmp_path, text, {"ONE": "x", "WIZARD_PROVIDERS__A__API_KEYS": '["one", "two"]'})
    other = loaded(tmp_path, text, {"ONE": "three"})

    assert [SecretStr("one"), SecretStr("two")] == list(written.settings.providers["a"].api_keys)
    assert written.digest == given.digest != other.digest


@pytest.mark.parametrize(
    ("settings", "path", "expected"),
    [
        ("api_keys: one", "api_keys", "a list of keys, each of them once"),
        ("api_keys: [one, one]", "api_keys", "a list of keys, each of them once"),
        (
            "api_keys: [one, 'two three']",
            "api_keys[1]",
            "text of printable ASCII characters without spaces and line breaks",
        ),
        ("api_keys: ['']", "api_keys[0]", "text of printable ASCII characters without spaces and line breaks"),
        ("api_keys: [one], api_key: two", "api_keys", "either api_key or api_keys"),
        (
            "api_keys: [one, two], headers: {Authorization: x}",
            "headers",
            "no authorization besides api_keys",
        ),
        ("api_keys: [one], api_keys_file: key", "api_keys_file", "either api_keys or api_keys_file"),
        ("api_keys_file: none", "api_keys_file", "the path of a readable text file with a key on each line"),
    ],
)
def test_wrong_lists_of_keys_are_explained(tmp_path: Path, settings: str, path: str, expected: str) -> None:
    """What contradicts itself or cannot be sent is named by its path, without any key."""
    found = problem(tmp_path, f"providers: {{a: {{kind: openai, {settings}}}}}")

    assert (found.path, found.expected) == (f"providers.a.{path}", expected)
    assert not {"one", "two"} & set(found.value.replace("'", " ").split())


@pytest.mark.parametrize("kind", ["sim", "local"])
def test_kinds_of_this_machine_take_no_keys(tmp_path: Path, kind: str) -> None:
    """A key that would never be sent is a mistake."""
    found = problem(tmp_path, f"providers: {{a: {{kind: {kind}, api_keys: [one, two]}}}}")

    assert (found.path, found.expected) == ("providers.a.api_keys", f"no api_keys: kind {kind} needs none")
