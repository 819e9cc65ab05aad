"""The workers of one parent, as it hears of them."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.sections import Server
from app.core.clock import SystemClock
from app.serving.children import Child
from app.serving.messages import Beat, Downwards, Reload, Reloaded, Upwards
from app.serving.workers import Workers


class Said(Child):
    """A worker without a process, and what it says next."""

    def __init__(self, *messages: Upwards) -> None:
        self.next = list(messages)
        self.told: list[Downwards] = []

    def hear(self, now: float) -> Iterator[Upwards]:  # noqa: ARG002 - as of every worker
        """Yield it, once."""
        said, self.next = self.next, []
        yield from said

    def say(self, message: Downwards) -> None:
        """Keep what it is told."""
        self.told.append(message)


def crew_of(*workers: Said) -> Workers:
    """Return a crew of these."""
    coming = iter(workers)
    server = Server(workers=len(workers))
    return Workers(lambda: next(coming), lambda: server, lambda _signal: None, SystemClock())


def test_reloads_are_passed_on_and_told_once() -> None:
    """However many a worker has made, its parent reads the file once, and the others once more."""
    asked, other = Said(Beat(1), *[Reloaded(asked=True)] * 20, Beat(2)), Said(Beat(1))
    workers = crew_of(asked, other)

    heard = [workers.hear(), workers.hear()]

    assert heard == [True, False]
    assert (asked.told, other.told) == ([], [Reload()])


def test_those_who_follow_are_not_passed_on() -> None:
    """Or reloads would never end."""
    one, other = Said(Reloaded(asked=False)), Said()
    workers = crew_of(one, other)

    assert workers.hear()
    assert (one.told, other.told) == ([], [])


def test_a_hang_up_reaches_everybody() -> None:
    """No worker has been told before."""
    one, other = Said(), Said()

    crew_of(one, other).reload()

    assert (one.told, other.told) == ([Reload()], [Reload()])
