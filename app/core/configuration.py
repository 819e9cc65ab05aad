"""What the administration can say about the configuration, and ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class Change(msgspec.Struct, frozen=True):
    """
    A setting that differs between two configurations.

    `path` is dotted; values are written as words, secrets hidden, and None where there is no such setting. `restart`
    says that a running gateway does not take it over.
    """

    path: str
    before: str | None
    after: str | None
    restart: bool


class Flaw(msgspec.Struct, frozen=True):
    """One thing to correct in a configuration: where, what stands there (masked), what should, and what to do."""

    path: str
    value: str
    expected: str
    suggestion: str
    file: str | None


class FlawedConfigurationError(Exception):
    """A newer configuration cannot be used; the one before stays in use."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(len(flaws))
        self.flaws = tuple(flaws)


class Exchange(msgspec.Struct, frozen=True):
    """A reading of the configuration: the digests before and after it, and what is different."""

    before: str
    now: str
    changes: tuple[Change, ...]


class Shown(msgspec.Struct, frozen=True):
    """The configuration in use: where it was read, its digest, and its settings as JSON without secrets."""

    source: str
    digest: str
    settings: msgspec.Raw


class Configurations(Protocol):
    """Whoever can read the configuration again."""

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """Return what was wrong with the configuration when it was last read; empty if it is in use."""
        ...

    async def reload(self) -> Exchange:
        """
        Read it again, use it from now on, and let the other processes do the same.

        Raises:
            FlawedConfigurationError: It cannot be used.
        """
        ...


class Unchanging:
    """A configuration that was made, not read, as by a test: it stays as it is."""

    flaws: tuple[Flaw, ...] = ()

    async def reload(self) -> Exchange:
        """Change nothing."""
        return Exchange("", "", ())


class Replicas(Protocol):
    """The other processes that serve the same callers, as far as they can be reached."""

    def listen(self, reread: Callable[[], None]) -> None:
        """Call `reread` whenever another one wants everybody to read the configuration again."""
        ...

    def reread(self) -> None:
        """Want the others to read their configuration again."""
        ...


class NoReplicas:
    """There is nobody else, or nobody who can be reached."""

    def listen(self, reread: Callable[[], None]) -> None:
        """Never call anybody."""

    def reread(self) -> None:
        """Tell nobody."""
