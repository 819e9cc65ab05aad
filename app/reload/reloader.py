"""
Reads the configuration again, whoever asks for it, and lets everybody know what came of it.

One reading at a time. Who asks gets an answer in the log even if nothing has changed; who only looks (a watch on the
file, another process that was asked) is silent then.
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

_NAMED_MAX: Final = 10  # settings; a line of the log is not the place for a whole configuration


class Holder:
    """
    Holds the gateway that new calls use.

    `applied` is called with the settings of each exchange, for what lives outside the gateway and can follow them.
    """

    def __init__(self, loaded: Loaded, deps: Deps, applied: Callable[[Settings], None]) -> None:
        self._deps = deps
        self._applied = applied
        self.loaded = loaded
        self.current: Gateway = build_gateway(loaded, deps)

    def exchange(self, loaded: Loaded) -> None:
        """Use another configuration from now on."""
        self.current = build_gateway(loaded, self._deps)
        self.loaded = loaded
        self._applied(loaded.settings)


class Parent(Protocol):
    """Whoever started this process and others like it."""

    def __call__(self, *, asked: bool) -> None:
        """Take note that a newer configuration is in use; if somebody `asked` for it, all shall look."""


class Reloader:
    """
    The `Configurations` of a process.

    Args:
        holder: Holds what is in use.

        read: Reads the configuration as it is now, without holding up the loop; raises `ConfigError`.

        listener: Told of newer configurations, and of bad ones.

        parent: Told of them as well.

        replicas: Can be asked to look, too, and may ask for it.
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
        self._one_by_one = asyncio.Lock()
        self._under_way: set[asyncio.Task[Exchange | None]] = set()
        self._problems: tuple[Problem, ...] = ()
        replicas.listen(self.look)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return what was wrong when the configuration was last read; empty if it is in use."""
        return self._problems

    async def reload(self) -> Exchange:
        """
        Do as the administration asks; see `Configurations`.

        Raises:
            ConfigError: It cannot be used.
        """
        exchange = await self._look(asked=True)
        self._parent(asked=True)
        self._replicas.reread()
        return exchange

    def request(self) -> None:
        """Read it soon, because this process was asked to."""
        self._begin(asked=True)

    def look(self) -> None:
        """Read it soon, because it may have changed."""
        self._begin(asked=False)

    def _begin(self, *, asked: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._try(asked=asked))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _try(self, *, asked: bool) -> Exchange | None:
        try:
            return await self._look(asked=asked)
        except ConfigError:  # the listener has been told
            return None

    async def _look(self, *, asked: bool) -> Exchange:
        async with self._one_by_one:
            try:
                loaded = await self._read()
            except ConfigError as error:
                self._reject(error, asked=asked)
                raise
            mended, self._problems = bool(self._problems), ()
            return self._use(loaded, told=asked or mended)

    def _use(self, loaded: Loaded, *, told: bool) -> Exchange:
        before = self._holder.loaded
        exchange = Exchange(before.digest, loaded.digest, changes(before.settings, loaded.settings))
        if before.digest != loaded.digest:
            self._holder.exchange(loaded)
            self._parent(asked=False)
        if told or before.digest != loaded.digest:
            paths = [change.path for change in exchange.changes]
            named = ", ".join(paths[:_NAMED_MAX])
            self._listener(ConfigReloaded(before.digest, loaded.digest, len(paths), named))
        return exchange

    def _reject(self, error: ConfigError, *, asked: bool) -> None:
        known, self._problems = self._problems, error.problems
        if asked or error.problems != known:
            self._listener(ConfigRejected(len(error.problems), error.problems[0].path))
