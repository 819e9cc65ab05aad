"""The section `limits`."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tests.config.cases import loaded, problem, refused

NAMES = "providers: {openai: {kind: openai}}\nmodels: {fast: {targets: [{provider: openai, model: m}]}}\n"


def limits(*entries: str) -> str:
    """Write a file with these limits."""
    return NAMES + f"limits: [{', '.join(f'{{{entry}}}' for entry in entries)}]"


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    """It is read as it is written, and what is left out has its default."""
    text = limits("name: everyone, per: global, requests: 1000, window_s: 1, burst: 2000", "name: own, tokens: 5")

    everyone, own = loaded(tmp_path, text).settings.limits

    assert (everyone.name, everyone.per, everyone.requests) == ("everyone", ("global",), 1000)
    assert (everyone.window_s, everyone.burst, everyone.tokens, everyone.concurrency) == (1, 2000, None, None)
    assert (own.per, own.window_s, own.burst, own.models) == (("global",), 60, None, ())
    assert (own.shadow, own.lease, own.reserve) == (False, 0, 4096)


def test_scopes_combine(tmp_path: Path) -> None:
    """A word or a list."""
    text = limits("name: a, per: key, requests: 1", "name: b, per: [team, route, model], concurrency: 2")

    assert [("key",), ("team", "route", "model")] == [limit.per for limit in loaded(tmp_path, text).settings.limits]


def test_a_variable_can_say_it_too(tmp_path: Path) -> None:
    """As JSON."""
    environ = {"WIZARD_LIMITS": '[{"name": "all", "requests": 3}]'}

    (limit,) = loaded(tmp_path, "", environ).settings.limits

    assert ("all", 3) == (limit.name, limit.requests)


WHOLE = "a whole number >= 1 and <= 1000000000"


@pytest.mark.parametrize(
    ("entry", "path", "expected"),
    [
        ("requests: 1", "name", "a name of letters, digits, '_', '.' and '-' that starts with a letter or a digit"),
        ("name: a b, requests: 1", "name", "a name of letters"),
        ("name: a, requests: 0", "requests", f"{WHOLE}, or null"),
        ("name: a, requests: many", "requests", f"{WHOLE}, or null"),
        ("name: a, tokens: 1.5", "tokens", f"{WHOLE}, or null"),
        ("name: a, concurrency: yes", "concurrency", f"{WHOLE}, or null"),
        ("name: a, requests: 1, window_s: 0.5", "window_s", "a number >= 1 and <= 2678400"),
        ("name: a, requests: 1, window_s: 2678401", "window_s", "a number >= 1 and <= 2678400"),
        ("name: a, requests: 1, shadow: maybe", "shadow", "true or false"),
        (
            "name: a, requests: 1, per: []",
            "per",
            "global, key, user, team, session, route, model or provider, or a list",
        ),
        ("name: a, requests: 1, per: keys", "per[0]", "one of global, key, user"),
        ("name: a, requests: 1, per: [key, teem]", "per[1]", "one of global, key, user"),
        ("name: a, requests: 1, rate: 2", "rate", "one of the keys name, requests"),
        ("name: a", "", "requests, tokens or concurrency"),
        ("name: a, requests: 4, tokens: 4, burst: 3", "burst", "a limit of either requests or tokens"),
        ("name: a, requests: 4, tokens: 4, lease: 1", "lease", "a limit of either requests or tokens"),
        (
            "name: a, requests: 1, window_s: 86400, burst: 367",
            "burst",
            "at most what comes together in a year, which is 366",
        ),
        ("name: a, requests: 9, lease: 5", "lease", "at most half of what the limit allows at once, which is 4"),
        (
            "name: a, requests: 9, burst: 2, lease: 2",
            "lease",
            "at most half of what the limit allows at once, which is 1",
        ),
        ("name: a, concurrency: 9, burst: 2", "burst", "nothing, as concurrency counts what happens at the same time"),
        ("name: a, concurrency: 9, window_s: 2", "window_s", "nothing, as concurrency counts"),
        ("name: a, requests: 9, reserve: 2", "reserve", "nothing, as only tokens are reserved"),
        ("name: a, requests: 9, per: [key, key]", "per", "a list in which each word stands once"),
        ("name: a, requests: 9, per: [global, key]", "per", "global alone, or what is counted separately"),
        ("name: a, requests: 9, models: [fsat]", "models[0]", "a route, or provider/model of a configured provider"),
        ("name: a, requests: 9, models: [opnai/gpt]", "models[0]", "a route, or provider/model"),
    ],
)
def test_what_is_wrong_is_explained(tmp_path: Path, entry: str, path: str, expected: str) -> None:
    """By its place and what would be right."""
    found = problem(tmp_path, limits(entry))

    assert found.path == f"limits[0].{path}".rstrip(".")
    assert found.expected.startswith(expected)


@pytest.mark.parametrize("model", ["fast", "*", "fa*", "openai/gpt-4o", "openai/*", "*/m"])
def test_models_are_routes_and_patterns(tmp_path: Path, model: str) -> None:
    """Whatever can be asked for."""
    assert loaded(tmp_path, limits(f"name: a, requests: 9, models: ['{model}']")).settings.limits


def test_a_mistyped_route_is_guessed(tmp_path: Path) -> None:
    """The closest name is offered."""
    assert problem(tmp_path, limits("name: a, requests: 9, models: [fats]")).suggestion == "did you mean fast?"


def test_names_are_unique(tmp_path: Path) -> None:
    """Two limits of one name could not be told apart."""
    found = problem(tmp_path, limits("name: a, requests: 1", "name: b, requests: 1", "name: a, tokens: 1"))

    assert ("limits[2].name", "'a'", "a name of its own") == (found.path, found.value, found.expected)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Over several limits."""
    found = refused(tmp_path, limits("name: a", "name: a, requests: 2, lease: 5, models: [b]")).problems

    assert [each.path for each in found] == ["limits[0]", "limits[1].lease", "limits[1].models[0]", "limits[1].name"]


def test_tables_of_a_tokenizer_have_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the package that reads them, which is not one of the gateway's own."""
    text = f"tokenizer: {{tables: {tmp_path}}}"
    absent = problem(tmp_path, text)
    (tmp_path / "cl100k_base.tiktoken").write_bytes(b"YQ== 0\n")
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    unread = problem(tmp_path, text)
    module = types.ModuleType("tiktoken")
    module.__spec__ = ModuleSpec("tiktoken", None)
    monkeypatch.setitem(sys.modules, "tiktoken", module)

    settings = loaded(tmp_path, text).settings

    assert absent.expected == "a folder with o200k_base.tiktoken or cl100k_base.tiktoken"
    assert unread.expected == "null, as the package tiktoken is not installed"
    assert settings.tokenizer.tables == str(tmp_path)
