"""Every kind of bad value is explained by path, value, expectation and suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.problems import did_you_mean, dotted, shown
from app.config.sections import Server
from app.core.configuration import Problem
from tests.config.cases import problem, refused

PORT = "a whole number >= 0 and <= 65535"
ADDRESS = (
    "an http or https address with a host and without user, query, fragment and spaces, "
    "like https://example.com/v1, or a socket, like http+unix://%2Frun%2Fmodel.sock/v1, or null"
)
KEY = "text of printable ASCII characters without spaces and line breaks, or null"
DAY = "a number > 0 and <= 86400"
TRIGGERS = "timeout, network, rate_limit, server_error, circuit_open, context_length, content_policy, budget"
QUOTES = "put it in quotes: YAML reads bare on, off, yes and no as true and false"
PROVIDER = "providers: {a: {kind: openai, %s}}"
ROUTE = "providers: {a: {kind: sim}}\nmodels: {r: {targets: [{provider: a, model: m}], %s}}"


@pytest.mark.parametrize(
    ("text", "path", "value", "expected", "suggestion"),
    [
        ("server: {port: eighty}", "server.port", "'eighty'", PORT, "correct it, or remove it for the default 8080"),
        ("server: {port: 65536}", "server.port", "65536", PORT, "correct it, or remove it for the default 8080"),
        ("server: {port: 80.5}", "server.port", "80.5", PORT, "correct it, or remove it for the default 8080"),
        ("server: {port: yes}", "server.port", "true", PORT, "correct it, or remove it for the default 8080"),
        ("server: {port: null}", "server.port", "null", PORT, "fill it in, or remove it"),
        ("server: {port: [1]}", "server.port", "(a list of 1)", PORT, "correct it, or remove it for the default 8080"),
        (
            f"server: {{port: 0x{'f' * 5000}}}",
            "server.port",
            "(a number)",
            PORT,
            "correct it, or remove it for the default 8080",
        ),
        ("timeouts: {idle_s: 0}", "timeouts.idle_s", "0", DAY, "correct it, or remove it for the default 30"),
        ("timeouts: {idle_s: .inf}", "timeouts.idle_s", "inf", DAY, "correct it, or remove it for the default 30"),
        ("timeouts: {idle_s: .nan}", "timeouts.idle_s", "nan", DAY, "correct it, or remove it for the default 30"),
        ("timeouts: {idle_s: off}", "timeouts.idle_s", "false", DAY, "correct it, or remove it for the default 30"),
        (
            "metrics: {enabled: maybe}",
            "metrics.enabled",
            "'maybe'",
            "true or false",
            "correct it, or remove it for the default true",
        ),
        ("logging: {format: jsn}", "logging.format", "'jsn'", "one of json, console", "did you mean json?"),
        (
            "logging: {level: LOUD}",
            "logging.level",
            "'loud'",
            "one of debug, info, warning, error",
            "correct it, or remove it for the default 'info'",
        ),
        (
            "logging: {format: JSON}",
            "logging.format",
            "'JSON'",
            "one of json, console",
            "did you mean json?",
        ),
        ("logging: {level: off}", "logging.level", "false", "one of debug, info, warning, error", QUOTES),
        ("sessions: {path: no}", "sessions.path", "false", "text, or null", QUOTES),
        ("sessions: {path: 12}", "sessions.path", "12", "text, or null", "put it in quotes"),
        ("sessions: {path: 2026-01-02}", "sessions.path", "(a date)", "text, or null", "put it in quotes"),
        (
            "redaction: {action: tokenise}",
            "redaction.action",
            "'tokenise'",
            "one of mask, hash, tokenize, block, report",
            "did you mean tokenize?",
        ),
        (
            "server: {host: 'a b'}",
            "server.host",
            "'a b'",
            "a host name or an IP address, such as 127.0.0.1, 0.0.0.0 or ::",
            "correct it, or remove it for the default '127.0.0.1'",
        ),
        (
            "server: {hots: x}",
            "server.hots",
            "(a text)",
            f"one of the keys {', '.join(Server.model_fields)}",
            "did you mean hosts?",
        ),
        (
            "metrics: {zzz: 1}",
            "metrics.zzz",
            "(a number)",
            "one of the keys enabled",
            "remove it",
        ),
        (
            "server: 8080",
            "server",
            "(a number)",
            "a mapping",
            "write a mapping, such as {host: …}; in an environment variable as JSON",
        ),
        (
            "providers: []",
            "providers",
            "(a list of 0)",
            "a mapping",
            "write a mapping, such as {name: …}; in an environment variable as JSON",
        ),
        (
            "models: {r: {targets: [a/m]}}",
            "models.r.targets[0]",
            "(a text)",
            "a mapping",
            "write a mapping, such as {provider: …, model: …}; in an environment variable as JSON",
        ),
        ("providers: {a: }", "providers.a", "null", "a mapping", "fill it in, or remove it"),
        (
            "fallback: {triggers: timeout}",
            "fallback.triggers",
            "(a text)",
            f"a list of {TRIGGERS}",
            'write a list, such as ["one", "two"]; in an environment variable exactly so, as JSON',
        ),
        (
            "fallback: {triggers: [timeouts]}",
            "fallback.triggers[0]",
            "'timeouts'",
            f"one of {TRIGGERS}",
            "did you mean timeout?",
        ),
        (
            "providers: {'a b': {kind: sim}}",
            "providers.a b",
            "'a b'",
            "a name of letters, digits, '_', '.' and '-' that starts with a letter or a digit",
            "rename it",
        ),
        (PROVIDER % "base_url: ftp://x", "providers.a.base_url", "'ftp://x'", ADDRESS, None),
        (PROVIDER % "base_url: x.com/v1", "providers.a.base_url", "'x.com/v1'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://'", "providers.a.base_url", "'http://'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://x:99999'", "providers.a.base_url", "'http://x:99999'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://[x'", "providers.a.base_url", "'http://[x'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://u:p@x'", "providers.a.base_url", "'http://***@x'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://x?k=v'", "providers.a.base_url", "'http://x?***'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://x/ y'", "providers.a.base_url", "'http://x/ y'", ADDRESS, None),
        (PROVIDER % "base_url: 'http://exämple'", "providers.a.base_url", "'http://exämple'", ADDRESS, None),
        (PROVIDER % "api_key: 'a b'", "providers.a.api_key", "(hidden)", KEY, None),
        (PROVIDER % "api_key: kéy", "providers.a.api_key", "(hidden)", KEY, None),
        (PROVIDER % "api_key: 123", "providers.a.api_key", "(hidden)", KEY, "put it in quotes"),
        (PROVIDER % "api_key: yes", "providers.a.api_key", "true", KEY, QUOTES),
        (
            PROVIDER % "headers: {'a b': c}",
            "providers.a.headers.a b",
            "'a b'",
            "a header name, and none of connection, content-length, content-type, host, transfer-encoding",
            "rename it",
        ),
        (
            PROVIDER % "headers: {Host: c}",
            "providers.a.headers.Host",
            "'Host'",
            "a header name, and none of connection, content-length, content-type, host, transfer-encoding",
            "rename it",
        ),
        (
            PROVIDER % 'headers: {a: "b\\nc"}',
            "providers.a.headers.a",
            "(hidden)",
            "text of printable ASCII characters without line breaks",
            "correct it",
        ),
        (
            PROVIDER % "headers: {a: b, A: c}",
            "providers.a.headers",
            "(a mapping)",
            "a mapping of header names to texts, each name once (upper and lower case are the same)",
            "correct it",
        ),
        (
            ROUTE % "fallbacks: ['a b']",
            "models.r.fallbacks[0]",
            "'a b'",
            "a name without spaces and control characters",
            "correct it",
        ),
        ("models: {r: {}}", "models.r.targets", "(missing)", "a list with at least one entry", "add targets"),
        (
            "models: {r: {targets: []}}",
            "models.r.targets",
            "(a list of 0)",
            "a list with at least one entry",
            "correct it",
        ),
        (
            "models: {r: {targets: [{provider: 'a b', model: m}]}}",
            "models.r.targets[0].provider",
            "'a b'",
            "a name of letters, digits, '_', '.' and '-' that starts with a letter or a digit",
            "correct it",
        ),
        (
            "providers: {a: {kind: sim}}\nmodels: {r: {targets: [{provider: a, model: m, weight: 0}]}}",
            "models.r.targets[0].weight",
            "0",
            "a number > 0 and <= 1000000",
            "correct it, or remove it for the default 1",
        ),
        (
            "limits: [5]",
            "limits[0]",
            "(a number)",
            "a mapping",
            "write a mapping, such as {name: …}; in an environment variable as JSON",
        ),
    ],
)
def test_explains(tmp_path: Path, text: str, path: str, value: str, expected: str, suggestion: str | None) -> None:
    """One bad value gives one problem, in plain words, with the way out."""
    found = problem(tmp_path, text)

    default = "correct it, or remove it for the default null"
    assert Problem(path, value, expected, suggestion or default, str(tmp_path / "wizard.yaml")) == found


@pytest.mark.parametrize(
    ("kind", "suggestion"), [("opena", "did you mean openai?"), ("Groq", "did you mean groq?"), ("zzz", "correct it")]
)
def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path, kind: str, suggestion: str) -> None:
    """The kinds of providers are a closed list, presets included."""
    found = problem(tmp_path, f"providers: {{a: {{kind: {kind}}}}}")

    assert ("providers.a.kind", repr(kind), suggestion) == (found.path, found.value, found.suggestion)
    assert found.expected.startswith("one of sim, local, openai, anthropic, gemini,")


def test_an_unknown_section_is_a_problem(tmp_path: Path) -> None:
    """A misspelt section is not ignored, whatever it is called."""
    found = refused(tmp_path, "sever: {port: 1}\n_env_file: /etc/passwd\n").problems

    assert {"sever": "did you mean server?", "_env_file": "remove it"} == {each.path: each.suggestion for each in found}


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Syntax, unknown keys, references, what does not fit together, placeholders and variables: one report."""
    text = """
    sever: {}
    server: {port: x, hots: y}
    request_log: {enabled: true, store: redis}
    providers: {a: {kind: opena}, b: {kind: openai, api_key: "${NONE}"}}
    models: {r: {targets: [{provider: c, model: m}], fallbacks: [r]}, s: {targets: [{provider: a, model: m}]}}
    """

    found = refused(tmp_path, text, {"WIZARD_SERVER_PORT": "1", "WIZARD_RETRY__BASE_S": "-1"}).problems

    assert [each.path for each in found] == [
        "WIZARD_SERVER_PORT",
        "models.r.fallbacks[0]",
        "models.r.targets[0].provider",
        "providers.a.kind",
        "providers.b.api_key",
        "request_log.store",
        "retry.base_s",
        "server.hots",
        "server.port",
        "sever",
    ]


@pytest.mark.parametrize(
    ("section", "entry"),
    [("providers", '{"kind": "sim"}'), ("models", '{"targets": [{"provider": "a", "model": "m"}]}')],
)
def test_half_a_character_is_a_problem(tmp_path: Path, section: str, entry: str) -> None:
    """A name that is no proper text, which escapes in JSON can make, is refused like any bad name."""
    found = refused(tmp_path, f'{{"{section}": {{"\\ud800": {entry}}}}}', name="a.json").problems

    assert (f"{section}.…", "'…'", "rename it") in {(each.path, each.value, each.suggestion) for each in found}


def test_paths_are_written_as_people_do() -> None:
    """Keys are joined by dots, positions stand in brackets."""
    assert dotted(("limits", 0, "per")) == "limits[0].per"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.25"),
        (30.0, "30"),
        ("short", "'short'"),
        ("/" + "x" * 60, repr("/" + "x" * 60)),
        ("x" * 40, "'xxxx'… (40 characters)"),
        (b"bytes", "(hidden)"),
        (frozenset({1}), "(a list of 1)"),
    ],
)
def test_shows_short_public_values_only(value: object, text: str) -> None:
    """Numbers, short words and paths are shown; what is long could be a key in the wrong place, and is cut."""
    assert text == shown(("server", "host"), value)


def test_suggests_only_what_is_close() -> None:
    """A word that is like no known one gets no suggestion."""
    known = ["Fast", "slow"]

    assert ("did you mean Fast?", None) == (did_you_mean("fsat", known), did_you_mean("other", known))
