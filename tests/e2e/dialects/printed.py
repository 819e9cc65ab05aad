"""The programs in the documentation: found by a mark, and run against a gateway of the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.support.upstream import LIMIT_S
from tests.support.gateway import GatewayProcess, unmeasured_environment

DOCS = Path(__file__).parents[3] / "docs"
ADDRESS = "http://127.0.0.1:8080"


def program(page: str, mark: str, language: str = "python") -> str:
    """Return the program on a page that has this in it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if mark in block]
    return str(found)


def script_of(printed: str, gateway: GatewayProcess, model: str) -> str:
    """Return a program with the gateway's address, and its model exchanged."""
    assert ADDRESS in printed
    return printed.replace(ADDRESS, gateway.url).replace('"smart"', f'"{model}"')


def run(printed: str, gateway: GatewayProcess, model: str) -> str:
    """Run a program against the gateway and return what it prints."""
    code = script_of(printed, gateway, model)
    environment = unmeasured_environment({"PYTHONIOENCODING": "utf-8", "NO_PROXY": "127.0.0.1"})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=3 * LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
