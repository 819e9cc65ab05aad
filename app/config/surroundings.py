"""Environment variables that are not settings: those of systemd, of the terminal, and the operator's token."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

TOKEN_VARIABLE: Final = "WIZARD_ADMIN_TOKEN"  # noqa: S105 - its name; the default of admin.token


@dataclass(frozen=True, slots=True)
class Supervision:
    """The notification socket of systemd, and the watchdog interval in seconds (None: no watchdog)."""

    address: str
    watchdog_s: float | None


def supervision(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> Supervision | None:
    """Return the supervision by systemd, or None without a socket; ignore a watchdog for a process other than `pid`."""
    socket = environ.get("NOTIFY_SOCKET", "")
    if not socket.startswith(("/", "@")):  # other kinds of address have never been in use
        return None
    address = f"\0{socket[1:]}" if socket.startswith("@") else socket
    watchdog_pid = environ.get("WATCHDOG_PID", "")
    interval_us = environ.get("WATCHDOG_USEC", "")
    is_ours = not watchdog_pid or watchdog_pid == str(os.getpid() if pid is None else pid)
    watchdog_s = int(interval_us) / 1e6 if is_ours and interval_us.isdigit() and int(interval_us) > 0 else None
    return Supervision(address, watchdog_s)


def operator_token(environ: Mapping[str, str] = os.environ) -> str:
    """Return the admin token, or an empty text."""
    return environ.get(TOKEN_VARIABLE, "")


def wants_colour(stream: TextIO) -> bool:
    """Return whether to print colours: on a terminal, unless NO_COLOR (https://no-color.org) or TERM forbids it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
