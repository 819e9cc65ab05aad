"""What systemd says in the environment of a service."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.config.surroundings import Supervision, supervision


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, None),
        ({"NOTIFY_SOCKET": "/run/notify"}, Supervision("/run/notify", None)),
        ({"NOTIFY_SOCKET": "@abstract"}, Supervision("\0abstract", None)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000"}, Supervision("/n", 30.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, Supervision("/n", 30.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, Supervision("/n", None)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"}, Supervision("/n", None)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, Supervision("/n", None)),
    ],
)
def test_supervision(environ: Mapping[str, str], found: Supervision | None) -> None:
    """The socket, and a watchdog if it is meant for this process."""
    assert supervision(environ, pid=7) == found
