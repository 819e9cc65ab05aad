"""The `wizard` command as a function: what it prints, where, and with which exit code."""

from __future__ import annotations

import msgspec
import pytest

from app import __version__
from app.cli import main
from app.providers.local.wheels import missing
from tests.cli.conftest import Write

ROUTES = """
providers:
  sim: {kind: sim}
  box: {kind: openai, base_url: "http://127.0.0.1:9/v1"}
models:
  fast:
    targets: [{provider: box, model: small}, {provider: sim, model: echo}]
    fallbacks: [big]
  big: {targets: [{provider: sim, model: words}]}
"""
WRONG = """
server: {prot: 80, workers: none}
providers: {x: {kind: opnai}, y: {kind: openai, base_url: "ftp://there", api_key: sk-secret-of-y}}
models: {fast: {targets: [{provider: z, model: m}]}}
"""


def test_check_shows_what_a_configuration_means(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A good file is shown as providers, routes with their targets in order, and the pipeline; exit code 0."""
    code = main(["check", "--config", write(ROUTES)])

    printed = capsys.readouterr()
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    assert (code, printed.err) == (0, "")
    assert "fast sequential box/small -> sim/echo -> sim/words" in lines
    assert "box openai http://127.0.0.1:9/v1" in lines
    once = "Record > TotalTimeout > Validate > KeepTurn > Idempotency > Sessions"
    each = "CountTokens > Retry > Breaker > Spend > Measure > AttemptTimeout"
    assert f"{once} > Fallback( {each} > Endpoint )" in lines


def test_check_shows_what_stands_beside_the_two_lists(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """The stage that goes on with broken streams where a route wants it, and the way of what is passed on."""
    box = '{kind: openai, base_url: "http://127.0.0.1:9/v1", continues: prefix}'
    targets = "[{provider: box, model: a}, {provider: box, model: b}]"
    route = f"{{targets: {targets}, recovery: {{enabled: true}}}}"
    code = main(
        [
            "check",
            "--config",
            write(f"providers: {{box: {box}}}\nmodels: {{fast: {route}}}\npassthrough: {{enabled: true}}\n"),
        ]
    )

    told = capsys.readouterr().out
    assert code == 0
    assert "> Sessions > Recover > Fallback( CountTokens >" in told
    assert "pipeline of what is passed on\n  Record > TotalTimeout > Breaker > Spend > Measure > Endpoint" in told


def test_check_shows_every_problem(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file is told with all its problems at once, each with path, expectation and suggestion; exit code 2."""
    code = main(["check", "--config", write(WRONG)])

    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    for path in ("server.prot", "server.workers", "providers.x.kind", "providers.y.base_url", "models.fast.targets[0]"):
        assert path in printed.err
    assert "did you mean port?" in printed.err
    assert printed.err.count("expected:") == printed.err.count("suggestion:") == 5
    assert "sk-secret-of-y" not in printed.err


def test_check_tells_programs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON on standard output, with the same exit codes: what a good file means, or what is wrong with another."""
    codes = [main(["check", "--json", "--config", write(ROUTES)])]
    meaning = msgspec.json.decode(capsys.readouterr().out)
    codes.append(main(["check", "--json", "--config", write(WRONG)]))
    printed = capsys.readouterr()
    problems = msgspec.json.decode(printed.out)["problems"]

    assert (codes, printed.err) == ([0, 2], "")
    assert meaning["routes"]["fast"] == {"strategy": "sequential", "targets": ["box/small", "sim/echo", "sim/words"]}
    assert (meaning["providers"]["sim"]["kind"], meaning["problems"]) == ("sim", [])
    assert meaning["pipeline"].startswith("Record > TotalTimeout >")
    assert {"path", "value", "expected", "suggestion", "file"} == problems[0].keys()
    assert "did you mean port?" in {each["suggestion"] for each in problems}


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", '[providers.sim]\nkind = "sim"\n'), ("a.json", '{"providers": {"sim": {"kind": "sim"}}}')],
)
def test_check_reads_every_format(write: Write, capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    """TOML and JSON are as good as YAML."""
    assert main(["check", "--config", write(text, name)]) == 0
    assert f"{name}: good" in capsys.readouterr().out


def test_check_without_a_file(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the embedded default is checked; a ./config.yaml comes before that."""
    alone = main(["check"])
    shown = capsys.readouterr().out
    write("nonsense: 1", "config.yaml")
    beside = main(["check"])

    assert (alone, beside) == (0, 2)
    assert shown.startswith("embedded default: good")
    assert "sim" in shown
    assert ("any model of local, sim" in shown) is (missing() is None)


def test_models_of_the_embedded_default(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """They are those that a gateway would have that is started here."""
    assert callable(write)

    code = main(["models", "--json"])

    names = [msgspec.json.decode(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert names == [*(["local/smollm2"] if missing() is None else []), "sim/echo"]


def test_check_obeys_the_environment(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable beats the file, and is named where it is wrong."""
    monkeypatch.setenv("WIZARD_SERVER__PORT", "high")

    code = main(["check", "--config", write(ROUTES)])

    assert code == 2
    assert "WIZARD_SERVER__PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("--port", "eighty", "a whole number >= 0 and <= 65535"),
        ("--port", "", "a whole number >= 0 and <= 65535"),
        ("--workers", "0", "a whole number >= 1 and <= 1024"),
        ("--host", "a b", "a host name or an IP address, such as 127.0.0.1, 0.0.0.0 or ::"),
        ("--host", "", "a host name or an IP address, such as 127.0.0.1, 0.0.0.0 or ::"),
    ],
)
def test_serve_refuses_wrong_flags(
    write: Write, capsys: pytest.CaptureFixture[str], flag: str, value: str, expected: str
) -> None:
    """A flag takes what its setting takes, and an empty one is no way to leave it out."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--config", write(ROUTES), flag, value])

    assert ended.value.code == 2
    assert f"argument {flag}: expected {expected}, not {value!r}\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_file_that_cannot_be_read(write: Write, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A file that is not there, or is none, is told in words."""
    assert callable(write)

    codes = [main(["check", "--config", name]), main(["serve", "--config", name])]

    assert codes == [2, 2]
    assert "suggestion:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version and nothing else."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"wizard {__version__}\n"


def test_without_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a verb the command says what it can do."""
    assert main([]) == 0
    assert "serve" in capsys.readouterr().out


def test_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown verb is told, with the ones there are; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["dance"])

    assert ended.value.code == 2
    assert "serve" in capsys.readouterr().err
