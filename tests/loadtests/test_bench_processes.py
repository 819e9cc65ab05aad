"""Starting, watching and stopping the servers of the benchmark."""

from __future__ import annotations

import sys

import pytest

from loadtests import messages
from loadtests.processes import Cores, Fleet, StartError, free_port, pinned, wait_for_answer


def test_fleet_stops_its_servers() -> None:
    """
    A server answers while the fleet is up, has memory and CPU time, and is gone afterwards.
    """
    port = free_port()

    with Fleet() as fleet:
        server = fleet.start([sys.executable, "-m", "loadtests.upstream", "--port", str(port)], core=None)
        wait_for_answer(server, port, messages.chat_request("bench"))

        assert server.rss_mib() > 1.0
        assert server.cpu_s() > 0.0

    assert server.process.poll() is not None
    assert server.rss_mib() == 0


def test_start_error_says_how_to_run_it_by_hand() -> None:
    """
    A server that ends at once is reported with its command line and exit code.
    """
    with Fleet() as fleet:
        server = fleet.start([sys.executable, "-c", "raise SystemExit(3)"], core=None)

        with pytest.raises(StartError, match=r"exit code 3.*raise SystemExit"):
            wait_for_answer(server, free_port(), b"{}")


def test_pinning_lasts_for_the_context() -> None:
    """
    The cores of this process are what they were, after it was pinned to one of them.
    """
    before = Cores.of_machine()

    with pinned(before.tested):
        assert before.tested is None or Cores.of_machine() == Cores(None, None)

    assert Cores.of_machine() == before
