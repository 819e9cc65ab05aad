"""What else the environment says: to a service of systemd, of the terminal, and of an operator at the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

_TOKEN_VARIABLE: Final = "WIZARD_ADMIN_TOKEN"  # noqa: S105 - its name; config.example.yaml fills admin.token from it


@dataclass(frozen=True, slots=True)
class Supervision:
    """The socket that is to be told, and the silence after which the service counts as hung; None: never."""

    address: str
    watchdog_s: float | None


def supervision(environ: Mapping[str, str] = os.environ, pid: int | None = None) -> Supervision | None:
    """Read it; None if nobody wants to know. A watchdog that is meant for another process than `pid` is none."""
    named = environ.get("NOTIFY_SOCKET", "")
    if not named.startswith(("/", "@")):  # other kinds of address have never been in use
        return None
    address = f"\0{named[1:]}" if named.startswith("@") else named
    meant = environ.get("WATCHDOG_PID", "")
    silence_us = environ.get("WATCHDOG_USEC", "")
    mine = not meant or meant == str(os.getpid() if pid is None else pid)
    watchdog_s = int(silence_us) / 1e6 if mine and silence_us.isdigit() and int(silence_us) > 0 else None
    return Supervision(address, watchdog_s)


def operator_token(environ: Mapping[str, str] = os.environ) -> str:
    """Return the administration's token, or nothing."""
    return environ.get(_TOKEN_VARIABLE, "")


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether colours are welcome: on a terminal, unless NO_COLOR (https://no-color.org) or TERM says otherwise."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
