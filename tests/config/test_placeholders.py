"""`${NAME}` and `${NAME:-default}` in the texts of a file are filled from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.config.placeholders import Filler
from tests.config.cases import loaded, problem, refused


def filled(text: str, environ: dict[str, str]) -> object:
    """Fill one text."""
    return Filler(environ, "file").fill({"text": text})["text"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", "one"),
        ("x${A}y${A}", "xoneyone"),
        ("${A:-two}", "one"),
        ("${NONE:-two}", "two"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("${NONE:-a:-b}", "a:-b"),
        ("${NONE:-${A}}", "one"),
        ("${NONE:-${EMPTY:-two}}!", "two!"),
        ("${NONE:-http://${A}:80/}", "http://one:80/"),
        ("${A:-${NONE}}", "one"),
        ('${NONE:-{"a": {}, "b": 1}}', '{"a": {}, "b": 1}'),
        ('${A:-{"a": {}, "b": 1}}', "one"),
        ("${NONE:-a{b}", "a{b"),
        ("${NONE:-$${A}}", "${A}"),
        ("$${A}", "${A}"),
        ("$${A}${A}", "${A}one"),
        ("$A $ {A} }", "$A $ {A} }"),
        ("${NESTED}", "${A}"),
    ],
)
def test_fills(text: str, result: str) -> None:
    """Names are replaced once, defaults (filled as well) count for unset and empty names, and $${ is a literal ${."""
    environ = {"A": "one", "EMPTY": "", "NESTED": "${A}"}

    assert result == filled(text, environ)


@given(st.text().filter(lambda text: "${" not in text))
def test_other_text_is_untouched(text: str) -> None:
    """Text without a placeholder is what it was."""
    assert text == filled(text, {})


@given(st.text())
def test_every_text_can_be_escaped(text: str) -> None:
    """Doubling the dollar of each ${ gives back any text at all."""
    # Only a dollar right before a placeholder's own is ambiguous, and it is not needed in a configuration.
    plain = text.replace("$${", "")

    assert plain == filled(plain.replace("${", "$${"), {})


@given(st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True), st.text())
def test_values_arrive_unchanged(name: str, value: str) -> None:
    """Whatever stands in the environment is taken as it is, and never filled again."""
    assert value == filled(f"${{{name}}}", {name: value})


def test_filled_text_becomes_what_the_schema_wants(tmp_path: Path) -> None:
    """A number may come from a placeholder, and a key of digits stays a key."""
    text = 'server: {port: "${PORT:-9000}"}\nproviders: {box: {kind: openai, api_key: "${KEY}", models: ["m-${KEY}"]}}'

    settings = loaded(tmp_path, text, {"KEY": "0123"}).settings

    assert settings.server.port == 9000
    assert settings.providers["box"].api_key == SecretStr("0123")
    assert settings.providers["box"].models == ("m-0123",)


def test_an_unset_name_is_a_problem(tmp_path: Path) -> None:
    """The message names the variable, says how to set it, and how to do without it."""
    found = problem(tmp_path, 'providers: {box: {kind: openai, api_key: "${BOX_API_KEY}"}}')

    assert ("providers.box.api_key", "${BOX_API_KEY}") == (found.path, found.value)
    assert found.expected == "the environment variable BOX_API_KEY to be set"
    assert found.suggestion == "export BOX_API_KEY, or write ${BOX_API_KEY:-} where it may stay empty"


def test_an_unset_name_close_to_a_set_one_is_suggested(tmp_path: Path) -> None:
    """A variable that is exported under a slightly other name is pointed out."""
    found = problem(tmp_path, 'server: {host: "${GATEWAY_HOST}"}', {"GATEWAY_HOTS": "x"})

    assert found.suggestion.startswith("did you mean GATEWAY_HOTS? Otherwise export GATEWAY_HOST")


def test_an_unset_name_hides_what_follows_from_it(tmp_path: Path) -> None:
    """One cause is one problem: the unfilled text is not also reported as a bad number, file or provider."""
    text = """
    server: {port: "${PORT}"}
    providers: {box: {kind: openai, api_key_file: "${FILE}"}}
    models: {fast: {targets: [{provider: "${PROVIDER}", model: small}]}}
    """

    found = refused(tmp_path, text).problems

    paths = [problem.path for problem in found]
    assert ["models.fast.targets[0].provider", "providers.box.api_key_file", "server.port"] == paths
    assert all(problem.expected.startswith("the environment variable") for problem in found)


def test_an_unset_name_under_a_variable_does_not_matter(tmp_path: Path) -> None:
    """Where the environment sets the value, nobody needs the one in the file."""
    text = 'providers: {box: {kind: openai, api_key: "${BOX_API_KEY}"}}'

    settings = loaded(tmp_path, text, {"WIZARD_PROVIDERS__BOX__API_KEY": "k"}).settings

    assert settings.providers["box"].api_key == SecretStr("k")


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A B}", "${A:?no}", "${A", "a ${A-b}"])
def test_a_broken_placeholder_is_a_problem(tmp_path: Path, text: str) -> None:
    """What looks like a placeholder and is none is refused, with the way to write it literally."""
    found = problem(tmp_path, f"sessions: {{path: '{text}'}}", {"A": "one"})

    assert ("sessions.path", "${…") == (found.path, found.value)
    assert found.expected == "${NAME} or ${NAME:-default}"
    assert found.suggestion == "write $${ where you mean a literal ${"


@pytest.mark.parametrize(
    ("text", "path", "value", "hint"),
    [
        ("providers: {no: {kind: sim}}", "providers.False", "the key false", True),
        ("providers: {on: {kind: sim}}", "providers.True", "the key true", True),
        (
            "models: {4: {targets: [{provider: s, model: m}]}}\nproviders: {s: {kind: sim}}",
            "models.4",
            "the key (a number)",
            False,
        ),
    ],
)
def test_keys_must_be_texts(tmp_path: Path, text: str, path: str, value: str, hint: bool) -> None:
    """YAML makes booleans and numbers of some bare keys; they are refused, with the reason."""
    found = problem(tmp_path, text)

    assert (path, value, "a text as the key") == (found.path, found.value, found.expected)
    assert found.suggestion.startswith("put the key in quotes")
    assert hint == ("YAML reads bare on, off, yes and no as true and false" in found.suggestion)


@pytest.mark.parametrize("end", ["", "}", "}}}}", "}" * 50_000], ids=["none", "one", "four", "all"])
def test_thousands_that_nothing_closes_are_read_at_once(end: str) -> None:
    """Each would look for its end through all the others: of as many as here, for hours."""
    filler = Filler({}, "file")

    filler.fill({"text": "${A:-" * 50_000 + end})

    assert [problem.path for problem in filler.problems.values()] == ["text"]


def test_defaults_are_nested_within_reason() -> None:
    """Braces that are never closed can make each default the default of another, without end."""
    filler = Filler({}, "file")

    filler.fill({"text": "${A:-{{y}" * 2_000 + "}"})

    (found,) = filler.problems.values()
    assert (found.path, found.expected) == ("text", "at most 8 placeholders within each other")
