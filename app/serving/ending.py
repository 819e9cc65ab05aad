"""The ways in which a server can be told to end."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """
    Why a server ends, which says what has to happen first.

    ORDERLY: whoever sends calls has to find out, so it is unready for a moment in which it still takes them. QUICK:
    nobody has to find out, as after Ctrl-C. RELIEVED: another worker takes the calls from now on.
    """

    ORDERLY = "orderly"
    QUICK = "quick"
    RELIEVED = "relieved"
