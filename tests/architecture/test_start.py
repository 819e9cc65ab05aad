"""A gateway imports what its configuration needs: the rest would stay in its memory for as long as it runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.gateway import LIMIT_S, clean_environment

# Serves until it is told to stop, and then prints the name of every module that it imported.
_SERVE: Final = """
import sys
before = set(sys.modules)  # a coverage measurement has brought some of its own
from app.cli import main
code = main(["serve", "--port", "0", *sys.argv[1:]])
print("imported:", *(set(sys.modules) - before))
sys.exit(code)
"""
_SIM: Final = {"providers": {"sim": {"kind": "sim"}}}
_REDACTION: Final = {"redaction": {"enabled": True}}

# What only some features need. Together they take 30 MB; each is imported in the assembly of what needs it.
OPTIONAL: Final[Sequence[str]] = (
    "app.cli.bench",
    "app.cli.remote",
    "app.config.litellm",
    "app.inspection.json_schema",
    "app.inspection.phone",
    "botocore",
    "cryptography",
    "google.auth",
    "grpc",
    "httpx2",
    "jsonschema",
    "jwt",
    "numpy",
    "opentelemetry.exporter",
    "opentelemetry.instrumentation",
    "opentelemetry.sdk",
    "phonenumbers",
    "pydantic.v1",
    "re2",
    "redis",
    "sqlite3",
    "structlog",
    "tiktoken",
    "xllamacpp",
)


def imported(folder: Path, config: Mapping[str, object] | None) -> set[str]:
    """Start a gateway, stop it once it serves, and return what it had imported by then."""
    flags = []
    if config is not None:
        path = folder / "gateway.yaml"
        path.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
        flags = ["--config", str(path)]
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, *flags], cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "is listening on" in line:
                break
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    return set(said.rpartition("imported:")[2].split())


@pytest.mark.parametrize("config", [None, _SIM], ids=["embedded default", "one provider"])
def test_nothing_is_imported_for_what_is_switched_off(tmp_path: Path, config: Mapping[str, object] | None) -> None:
    """A gateway that only relays holds no database, no cryptography of tokens, no tracing and no patterns."""
    needless = set(OPTIONAL)

    found = imported(tmp_path, config)

    assert "app.main.service" in found
    assert not sorted(needless & found)


def test_what_is_switched_on_is_there_before_the_first_call(tmp_path: Path) -> None:
    """What a feature needs is imported while the gateway starts, so that no call has to wait for it."""
    config = {**_SIM, **_REDACTION}

    found = imported(tmp_path, config)

    assert {"re2", "phonenumbers"} <= found
