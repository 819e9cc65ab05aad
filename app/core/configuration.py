"""What the administration can say about the configuration, and ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


class Problem(msgspec.Struct, frozen=True):
    """
    One thing to correct in a configuration.

    `path` is dotted, lists as `limits[0].per`; `value` is masked where it could be a secret; `file` says where the
    value comes from: the configuration file, `environment variable NAME`, or None when it stands nowhere.
    """

    path: str
    value: str
    expected: str
    suggestion: str
    file: str | None = None

    def __str__(self) -> str:
        """Write the problem on three lines for people."""
        place = f"  ({self.file})" if self.file else ""
        return f"{self.path}: {self.value}{place}\n    expected:   {self.expected}\n    suggestion: {self.suggestion}"


class ConfigError(Exception):
    """A configuration cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """Write all problems, one paragraph each."""
        count = len(self.problems)
        heading = f"the configuration has {count} problem{'s' if count > 1 else ''}"
        return "\n\n".join([heading, *map(str, self.problems)])


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
    def problems(self) -> tuple[Problem, ...]:
        """Return what was wrong with the configuration when it was last read; empty if it is in use."""

    async def reload(self) -> Exchange:
        """
        Read it again, use it from now on, and let the other processes do the same.

        Raises:
            ConfigError: It cannot be used; the one before stays in use.
        """


class Unchanging:
    """A configuration that was made, not read, as by a test: it stays as it is."""

    problems: tuple[Problem, ...] = ()

    async def reload(self) -> Exchange:
        """Change nothing."""
        return Exchange("", "", ())


class Replicas(Protocol):
    """The other processes that serve the same callers, as far as they can be reached."""

    def listen(self, reread: Callable[[], None]) -> None:
        """Call `reread` whenever another one wants everybody to read the configuration again."""

    def reread(self) -> None:
        """Want the others to read their configuration again."""


class NoReplicas:
    """There is nobody else, or nobody who can be reached."""

    def listen(self, reread: Callable[[], None]) -> None:
        """Never call anybody."""

    def reread(self) -> None:
        """Tell nobody."""
