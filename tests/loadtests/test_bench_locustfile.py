"""The locust file, in a process of its own because locust patches the interpreter when it is imported."""

from __future__ import annotations

import subprocess
import sys

from tests.support.gateway import LIMIT_S


def test_locust_lists_the_users() -> None:
    """
    Locust can load the file and finds its three kinds of users.
    """
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--list"]

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=2 * LIMIT_S)

    assert set(done.stdout.split()) >= {"Asker", "Watcher", "BrokenClient"}
