"""
Reload the configuration on request or after a change, and report the result.

One reload at a time. An explicit request is reported in the log even if nothing has changed; a mere check (by the file
watch, or on behalf of another process) is reported only if something has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from app.assembly import Deps, build_gateway
from app.config.diff import changes
from app.config.load import Loaded
from app.config.schema import Settings
from app.core.configuration import ConfigError, Exchange, Problem, Replicas
from app.core.gateway import Gateway
from app.core.signals import ConfigRejected, ConfigReloaded, Listener

_NAMED_MAX: Final = 10  # settings listed in one log line


class Holder:
    """
    Holds the gateway that new calls use.

    `applied` is called with the settings after each exchange, to update what lives outside the gateway.
    """

    def __init__(self, loaded: Loaded, deps: Deps, applied: Callable[[Settings], None]) -> None:
        self._deps = deps
        self._applied = applied
        self.loaded = loaded
        self.current: Gateway = build_gateway(loaded, deps)

    def exchange(self, loaded: Loaded) -> None:
        """Build the gateway for another configuration, and use it for new calls."""
        self.current = build_gateway(loaded, self._deps)
        self.loaded = loaded
        self._applied(loaded.settings)


class Parent(Protocol):
    """The process that started this worker and its siblings."""

    def __call__(self, *, asked: bool) -> None:
        """Accept that this process has reloaded; if the reload was `asked` for, all siblings must check, too."""


class Reloader:
    """
    The `Configurations` of a process.

    Args:
        holder: Holds the gateway in use.

        read: Reads the current configuration without blocking the event loop; raises `ConfigError`.

        listener: Notified of newer configurations, and of invalid ones.

        parent: Notified of newer configurations.

        replicas: Are asked to check, too, and may ask for a check.
    """

    def __init__(
        self,
        holder: Holder,
        read: Callable[[], Awaitable[Loaded]],
        listener: Listener,
        parent: Parent,
        replicas: Replicas,
    ) -> None:
        self._holder = holder
        self._read = read
        self._listener = listener
        self._parent = parent
        self._replicas = replicas
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Exchange | None]] = set()
        self._problems: tuple[Problem, ...] = ()
        replicas.listen(self.look)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of the configuration that was last read; empty if it is in use."""
        return self._problems

    async def reload(self) -> Exchange:
        """
        Reload on request of the admin API; see `Configurations`.

        Raises:
            ConfigError: The configuration is invalid.
        """
        exchange = await self._look(asked=True)
        self._parent(asked=True)
        self._replicas.reread()
        return exchange

    def request(self) -> None:
        """Start a reload, because this process was asked to."""
        self._begin(asked=True)

    def look(self) -> None:
        """Start a reload, because the configuration may have changed."""
        self._begin(asked=False)

    def _begin(self, *, asked: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._try(asked=asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, *, asked: bool) -> Exchange | None:
        try:
            return await self._look(asked=asked)
        except ConfigError:  # already reported to the listener
            return None

    async def _look(self, *, asked: bool) -> Exchange:
        async with self._lock:
            try:
                loaded = await self._read()
            except ConfigError as error:
                self._reject(error, asked=asked)
                raise
            repaired, self._problems = bool(self._problems), ()
            return self._use(loaded, always_report=asked or repaired)

    def _use(self, loaded: Loaded, *, always_report: bool) -> Exchange:
        before = self._holder.loaded
        exchange = Exchange(before.digest, loaded.digest, changes(before.settings, loaded.settings))
        if before.digest != loaded.digest:
            self._holder.exchange(loaded)
            self._parent(asked=False)
        if always_report or before.digest != loaded.digest:
            paths = [change.path for change in exchange.changes]
            named = ", ".join(paths[:_NAMED_MAX])
            self._listener(ConfigReloaded(before.digest, loaded.digest, len(paths), named))
        return exchange

    def _reject(self, error: ConfigError, *, asked: bool) -> None:
        known, self._problems = self._problems, error.problems
        if asked or error.problems != known:
            self._listener(ConfigRejected(len(error.problems), error.problems[0].path))
