"""The verbs that look at configurations and print what they mean, for people and for programs."""

from __future__ import annotations

import subprocess
from typing import Any

import msgspec
import pytest

from app.cli import main
from tests.cli.conftest import Write
from tests.support.gateway import LIMIT_S, wizard

OLD = """
providers: {sim: {kind: sim}, box: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: sk-canary-1}}
models: {fast: {targets: [{provider: box, model: small}], fallbacks: [sim/echo]}}
"""
NEW = OLD.replace("canary-1", "canary-2").replace("model: small", "model: large") + "server: {port: 9}\n"
BASH = "/bin/bash"
VERBS = (
    "serve",
    "check",
    "explain",
    "diff",
    "models",
    "keys",
    "sessions",
    "doctor",
    "circuits",
    "cache",
    "stats",
    "import",
    "bench",
    "completion",
)


def printed_json(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - JSON
    """Return what was printed."""
    return msgspec.json.decode(capsys.readouterr().out)


def test_diff_shows_what_would_change(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Both values of each setting, what waits for a restart, and no secret; exit code 1, as `diff` has it."""
    code = main(["diff", write(OLD, "old.yaml"), write(NEW, "new.yaml")])

    text = capsys.readouterr().out
    assert code == 1
    for line in (
        "- models.fast.targets[0].model: small",
        "+ models.fast.targets[0].model: large",
        "- providers.box.api_key: (hidden)",
        "+ server.port: 9  (needs a restart)",
        "3 differences",
    ):
        assert line in text
    assert "canary" not in text


def test_diff_for_programs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as JSON, with both digests."""
    code = main(["diff", write(OLD, "old.yaml"), write(NEW, "new.yaml"), "--json"])

    told = printed_json(capsys)
    assert code == 1
    assert told["before"] != told["after"]
    assert [change["path"] for change in told["changes"]] == [
        "models.fast.targets[0].model",
        "providers.box.api_key",
        "server.port",
    ]


def test_diff_of_the_same(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Comments and order are no differences; exit code 0."""
    code = main(["diff", write(OLD, "old.yaml"), write(f"# a comment\n{OLD}", "new.yaml")])

    assert (code, capsys.readouterr().out.startswith("0 differences")) == (0, True)


def test_diff_with_a_bad_file(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is wrong is told as everywhere; exit code 2."""
    code = main(["diff", write(OLD, "old.yaml"), write("nonsense: 1", "new.yaml")])

    assert code == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    """A script that knows every verb."""
    code = main(["completion", shell])

    text = capsys.readouterr().out
    assert code == 0
    assert all(verb in text for verb in VERBS)


def test_completion_works_in_a_shell(write: Write) -> None:
    """Bash takes the script, and completes a verb with it."""
    script = subprocess.run(wizard("completion", "bash"), capture_output=True, check=True, timeout=LIMIT_S).stdout
    write(script.decode(), "completion.sh")
    asking = "source completion.sh; COMP_WORDS=(wizard circ); COMP_CWORD=1; _shtab_wizard; echo ${COMPREPLY[@]}"

    done = subprocess.run([BASH, "-c", asking], capture_output=True, text=True, check=False, timeout=LIMIT_S)

    assert done.stdout.split() == ["circuits"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """What it does, its flags, and lines that work."""
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "examples:" in text
    assert f"wizard {verb}" in text.partition("examples:")[2]


def test_whoever_reads_may_stop(write: Write) -> None:
    """A reader that has seen enough, as `head` has, gets no stack trace."""
    write(OLD, "config.yaml")
    reading = " ".join(wizard("completion", "bash"))

    done = subprocess.run(
        [BASH, "-c", f"{reading} | head -c 10"], capture_output=True, text=True, check=False, timeout=LIMIT_S
    )

    assert done.stderr == ""
