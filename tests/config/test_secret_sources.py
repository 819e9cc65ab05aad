"""`${source:reference}` is filled by a source of secrets that another package brings along."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import CANARY, loaded, problem
from tests.support.planting import plant

MODULE = f"""
KEPT = {{"openai#key": "{CANARY}"}}


def read(reference):
    if reference == "away":
        raise ConnectionError("{CANARY}")
    return KEPT[reference]
"""
ENTRIES = """[wizard.secrets]
vault = planted_vault:read
broken = planted_vault:nothing
"""


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a source that works and one that does not."""
    plant(tmp_path / "site", "planted_vault", MODULE, ENTRIES)
    monkeypatch.syspath_prepend(tmp_path / "site")


def keyed(key: str) -> str:
    """Return a configuration with one provider and this key."""
    return f"providers: {{a: {{kind: openai, api_key: '{key}'}}}}"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("${vault:openai#key}", CANARY),
        ("x-${vault:openai#key}", f"x-{CANARY}"),
        ("$${vault:openai#key}", "${vault:openai#key}"),
        ("${vault:-openai#key}", "openai#key"),
    ],
)
def test_a_secret_is_filled_in(tmp_path: Path, written: str, key: str) -> None:
    """What stands behind the colon is the source's to understand; a default of a variable stays one."""
    found = loaded(tmp_path, keyed(written)).settings.providers["a"].api_key

    assert found is not None
    assert found.get_secret_value() == key


@pytest.mark.parametrize(
    ("written", "expected", "suggestion"),
    [
        ("${vault:nothing}", "a secret that is there", "look at vault: it says KeyError"),
        ("${vault:away}", "a secret that is there", "look at vault: it says ConnectionError"),
        ("${safe:a}", "a source of secrets (broken, vault)", "install the package that offers it"),
        ("${broken:a}", "a source that works: its entry point planted_vault:nothing", "install the package"),
    ],
)
def test_a_secret_that_is_not_there(tmp_path: Path, written: str, expected: str, suggestion: str) -> None:
    """The problem names the setting and the source, and quotes neither the reference nor what the source said."""
    found = problem(tmp_path, keyed(written))

    assert found.path == "providers.a.api_key"
    assert found.expected.startswith(expected)
    assert found.suggestion.startswith(suggestion)
    assert found.value == written.partition(":")[0] + ":…}"
    assert CANARY not in str(found)
