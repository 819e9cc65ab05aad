"""The workers of one parent: those that serve, their replacements that are starting, and those that shut down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from app.config.sections import Server
from app.core.clock import Clock
from app.core.signals import Signal, WorkerReplaced
from app.serving.children import Child
from app.serving.messages import Ending, Reload, Reloaded, Replaced

START_S: Final = 120.0  # a worker that is still importing sends nothing; on a busy machine that takes a while
SILENT_S: Final = 30.0  # a worker whose event loop is blocked for so long hangs
LEAVE_S: Final = 15.0  # beyond the drain, until a worker that was told to stop is killed
_PAUSE_S, _PAUSE_MAX_S = 1.0, 30.0  # before the next try in a place where a worker failed to start


class _Place:
    """The place of one worker; `heir` replaces it once it serves. `retry_at` is when an empty place is filled again."""

    def __init__(self, child: Child) -> None:
        self.child: Child | None = child
        self.heir: Child | None = None
        self.retry_at = 0.0
        self.pause_s = _PAUSE_S


class Workers:
    """
    Replaces workers that die, hang or are due.

    Args:
        begin: Starts a worker.

        server: Returns the settings in use.

        note: Called with every replacement.
    """

    def __init__(
        self, begin: Callable[[], Child], server: Callable[[], Server], note: Callable[[Signal], None], clock: Clock
    ) -> None:
        self._make = begin
        self._server = server
        self._note = note
        self._clock = clock
        self._replaced: Counter[str] = Counter()
        self._places = [_Place(self._begin()) for _ in range(server().workers)]
        self._leaving: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        """Iterate over all workers that run, or whose end was not handled yet."""
        for place in self._places:
            yield from [child for child in (place.child, place.heir) if child is not None]
        yield from self._leaving

    @property
    def complete(self) -> bool:
        """Return whether a worker serves in every place."""
        return all(place.child is not None and place.child.started for place in self._places)

    @property
    def failed(self) -> bool:
        """Return whether a worker ended before it served."""
        return any(child.exit_code is not None and not child.started for child in self)

    def hear(self) -> bool:
        """Handle the workers' messages; after a requested reload, let all reload. Return whether any has reloaded."""
        changed = False
        for child in self:
            reloads = [message for message in child.hear(self._clock.now()) if isinstance(message, Reloaded)]
            changed = changed or bool(reloads)
            if any(message.asked for message in reloads):
                self.reload(child)
        return changed

    def reload(self, but: Child | None = None) -> None:
        """Let all workers but one reload the configuration."""
        for child in self:
            if child is not but:
                child.say(Reload())

    def mend(self) -> None:
        """Replace workers that died or hang, and hand places over to replacements that serve."""
        now = self._clock.now()
        for place in self._places:
            place.child = self._kept(place, place.child, now)
            place.heir = self._kept(place, place.heir, now)
            if place.heir is not None and place.heir.started:
                self._hand_over(place, now)
            if place.child is None and place.heir is None and now >= place.retry_at:
                place.child = self._begin()
        self._reap()

    def recycle(self) -> None:
        """Begin to replace one worker that is due, unless a replacement is already starting."""
        if any(place.heir is not None for place in self._places):
            return
        for place in self._places:
            reason = None if place.child is None else self._due(place.child)
            if place.child is not None and reason is not None:
                place.heir = self._begin()
                self._report(WorkerReplaced(place.child.pid, reason, None))
                return

    def stop(self, how: Ending) -> None:
        """Let all workers shut down; on the second call, at once."""
        for child in self:
            child.stop(self._clock.now(), how)

    def kill(self) -> None:
        """Kill all workers that still run."""
        for child in self:
            if child.exit_code is None:
                child.kill()

    def gone(self) -> bool:
        """Return whether all workers have ended; kill those that take too long."""
        for child in self:
            if child.exit_code is None and self._overdue(child):
                child.kill()
        return all(child.exit_code is not None for child in self)

    def _begin(self) -> Child:
        """Start a worker, and send it the counts of replacements so far."""
        child = self._make()
        if self._replaced:
            child.say(Replaced(dict(self._replaced)))
        return child

    def _report(self, signal: WorkerReplaced) -> None:
        """Report a replacement, and send the counts to every worker, as any of them may serve the metrics."""
        self._note(signal)
        self._replaced[signal.reason] += 1
        for child in self:
            child.say(Replaced(dict(self._replaced)))

    def _kept(self, place: _Place, child: Child | None, now: float) -> Child | None:
        """Return the worker if it is healthy; else end it, report that, and return None."""
        if child is None:
            return None
        silent_s = SILENT_S if child.started else START_S
        hangs = now - child.heard > silent_s
        if child.exit_code is None and not hangs:
            if child.started:
                place.pause_s = _PAUSE_S
            return child
        if child.exit_code is None:
            child.kill()
        if not child.started:
            place.retry_at = now + place.pause_s
            place.pause_s = min(2 * place.pause_s, _PAUSE_MAX_S)
        reason = "hung" if hangs else "died" if child.started else "failed"
        self._report(WorkerReplaced(child.pid, reason, child.exit_code))
        child.close()
        return None

    def _hand_over(self, place: _Place, now: float) -> None:
        if place.child is not None:
            place.child.stop(now, Ending.RELIEVED)
            self._leaving.append(place.child)
        place.child, place.heir = place.heir, None

    def _due(self, child: Child) -> str | None:
        given = self._server().recycle
        if not child.started:
            return None
        if given.max_requests is not None and child.requests >= given.max_requests:
            return "requests"
        return "memory" if given.max_bytes is not None and child.memory_bytes() > given.max_bytes else None

    def _reap(self) -> None:
        for child in [*self._leaving]:
            if child.exit_code is None and self._overdue(child):
                child.kill()
            if child.exit_code is not None:
                child.close()
                self._leaving.remove(child)

    def _overdue(self, child: Child) -> bool:
        given = self._server()
        patience_s = given.drain_delay_s + given.drain_s + LEAVE_S
        return child.told_to_stop is not None and self._clock.now() - child.told_to_stop > patience_s
