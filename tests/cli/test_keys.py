"""`wizard keys` without a gateway: what it prints is what the configuration takes."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from app.cli import main
from app.config.load import load

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without variables that name anything."""
    monkeypatch.chdir(tmp_path)
    for name in ("WIZARD_CONFIG", "WIZARD_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def keys(capsys: Capture) -> Callable[..., str]:
    """Return what runs `wizard keys` and gives its output."""

    def run(*arguments: str) -> str:
        assert main(["keys", *arguments]) == 0
        return capsys.readouterr().out

    return run


def printed(text: str) -> tuple[str, dict[str, Any]]:
    """Return the key and the entry that stand in a text."""
    secret = re.search(r"^key  (\S+)$", text, re.MULTILINE)
    assert secret
    (entry,) = yaml.safe_load(text[text.index("  - ") :])
    return secret[1], entry


def test_a_new_key_fits_into_the_file(folder: Path, keys: Callable[..., str]) -> None:
    """The lines can be pasted, and the key belongs to the hash in them."""
    text = keys(
        *("new", "--name", "team-a", "--team", "red", "--user", "eve", "--tags", "x", "y"),
        *("--models", "fast", "openai/*", "--expires", "2099-01-31", "--priority", "low"),
    )

    secret, entry = printed(text)
    (folder / "config.yaml").write_text(yaml.safe_dump({"keys": [entry]}))
    (key,) = load(None, {}).settings.keys

    assert entry["hash"] == f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert (key.name, key.team, key.user, key.tags) == ("team-a", "red", "eve", ("x", "y"))
    assert (key.models, key.priority) == (("fast", "openai/*"), "low")
    assert key.expires == datetime(2099, 1, 31, tzinfo=UTC).timestamp()


def test_each_key_is_another(keys: Callable[..., str]) -> None:
    """They are random."""
    first, second = (printed(keys("new", "--name", "a"))[0] for _ in range(2))

    assert first != second


def test_json_is_for_programs(keys: Callable[..., str]) -> None:
    """The same in one object."""
    found = msgspec.json.decode(keys("new", "--name", "a", "--json"), type=dict[str, str])

    assert {"key", "name", "hash"} == found.keys()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600)])
def test_times_from_now(keys: Callable[..., str], text: str, seconds: int) -> None:
    """A number with its unit counts from now."""
    _, entry = printed(keys("new", "--name", "a", "--expires", text))

    ends = datetime.fromisoformat(entry["expires"])

    assert abs((ends - datetime.now(UTC)).total_seconds() - seconds) < 60


def test_the_pepper_of_the_configuration_is_used(folder: Path, keys: Callable[..., str]) -> None:
    """So that the hash is one that the gateway prefers."""
    (folder / "config.yaml").write_text("auth: {pepper: 0123456789abcdef}")

    _, entry = printed(keys("new", "--name", "a"))

    assert entry["hash"].startswith("hmac-sha256:")


def test_the_first_key_of_a_file_that_needs_one(folder: Path, capsys: Capture) -> None:
    """A configuration that is open to all, as it has no key yet, is no obstacle; it is said that it was passed by."""
    (folder / "config.yaml").write_text("server: {host: 0.0.0.0}")

    code = main(["keys", "new", "--name", "a"])

    output = capsys.readouterr()
    assert code == 0
    assert printed(output.out)[1]["hash"].startswith("sha256:")
    assert "wizard check" in output.err


def test_a_wrong_pepper_is_told(folder: Path, capsys: Capture) -> None:
    """A key hashed without it would not work."""
    (folder / "config.yaml").write_text("auth: {pepper: short}")

    code = main(["keys", "new", "--name", "a"])

    assert code == 2
    assert "auth.pepper" in capsys.readouterr().err


def test_a_key_without_a_name_gets_one(folder: Path, keys: Callable[..., str]) -> None:
    """What is printed can go into the file as it is."""
    secret, entry = printed(keys("new"))
    (folder / "config.yaml").write_text(yaml.safe_dump({"keys": [entry]}))

    (key,) = load(None, {}).settings.keys

    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert (key.name, key.hash) == (f"key-{digest[:8]}", f"sha256:{digest}")


def test_rotating_a_key_of_the_file(folder: Path, keys: Callable[..., str]) -> None:
    """The lines keep the secret before for the overlap."""
    _, entry = printed(keys("new", "--name", "a"))
    (folder / "config.yaml").write_text(yaml.safe_dump({"keys": [entry]}))

    secret, changed = printed(keys("rotate", "a", "--overlap", "2h"))
    (folder / "config.yaml").write_text(yaml.safe_dump({"keys": [changed]}))
    (key,) = load(None, {}).settings.keys

    assert key.hash == f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert key.previous_hash == entry["hash"]
    assert key.previous_until is not None
    assert abs(key.previous_until - datetime.now(UTC).timestamp() - 7200) < 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("new", "--name", "a", "--expires", "soon"),
            "argument --expires: expected a time such as 90d, 12h,",
        ),
        (
            ("new", "--name", "a", "--expires", "2020-01-31"),
            "expected a time to come, not '2020-01-31'",
        ),
        (("new", "--name", "a", "--expires", "0d"), "argument --expires: expected a time"),
        (("rotate", "a", "--overlap", "long"), "argument --overlap: expected a number with s, m, h, d or w"),
        (("rotate", "a", "--overlap", "9999999d"), "argument --overlap: expected a number with s, m, h, d or w"),
    ],
)
def test_flags_that_make_no_sense(capsys: Capture, arguments: tuple[str, ...], said: str) -> None:
    """They are refused as such, with exit code 2, before anything is made."""
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])

    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (2, "")
    assert said in output.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("new", "--name", "a b"), 2, "--name: expected a name of letters"),
        (("new", "--name", "a", "--models", "a b"), 2, "--models: expected a name without spaces"),
        (("new", "--name", "a", "--models", ""), 2, "--models: expected a name without spaces"),
        (("list", "--url", "http://127.0.0.1:1"), 1, "no gateway answers at http://127.0.0.1:1: nothing listens there"),
        (("list", "--url", "localhost:1"), 1, "no gateway answers at localhost:1: an address begins with http://"),
    ],
)
def test_what_cannot_be_done(capsys: Capture, arguments: tuple[str, ...], code: int, said: str) -> None:
    """It is told in a line or two."""
    found = main(["keys", *arguments])

    output = capsys.readouterr()
    assert (found, output.out) == (code, "")
    assert said in output.err
    assert output.err.count("\n") <= 2


def test_the_pepper_of_the_environment_counts(keys: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file the hash has the pepper with which a gateway would check it."""
    monkeypatch.setenv("WIZARD_AUTH__PEPPER", "sixteen-characters")

    made = msgspec.json.decode(keys("new", "--name", "a", "--json"))

    assert made["hash"] == f"hmac-sha256:{hmac.digest(b'sixteen-characters', made['key'].encode(), 'sha256').hex()}"


def test_an_action_is_needed(capsys: Capture) -> None:
    """Without one the command says what there is."""
    with pytest.raises(SystemExit):
        main(["keys"])

    assert "ACTION" in capsys.readouterr().err
