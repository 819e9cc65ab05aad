"""What people see while something takes its time."""

from __future__ import annotations

import io

from app.cli.progress import Progress
from tests.support.gateway import eventually


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_terminal_shows_what_is_waited_for_and_how_far_it_is() -> None:
    """The line says so, goes away for a moment when asked to, and for good in the end."""
    terminal = Terminal()

    with Progress("asking everybody", terminal, quiet_s=0) as progress:
        progress.fraction = 0.42
        eventually(lambda: "asking everybody  42%" in terminal.getvalue(), "nothing was shown")
        progress.clear()

    assert terminal.getvalue().endswith("\r\033[K")


def test_what_is_over_soon_shows_nothing() -> None:
    """Nor is anything shown where nobody looks."""
    terminal, file = Terminal(), io.StringIO()

    with Progress("blinking", terminal):
        pass
    with Progress("writing into a file", file, quiet_s=0) as progress:
        progress.clear()

    assert (terminal.getvalue(), file.getvalue()) == ("", "")
