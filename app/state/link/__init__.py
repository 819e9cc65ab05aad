"""
The interface between Redis and the features that share state through it; redis-py is not imported here.

An adapter submits `Command`s to a `Link` (Redis's own, or a `decision`, which is a script) and follows it: twice a
second the link calls `catch_up`, and it reports when Redis is lost. Every answer may be a `StateLostError`; the policy
of the feature (`redis.fail`) decides what happens then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.state.scripts import Script, script

Argument: TypeAlias = str | bytes | int | float
# While Redis is out of reach, a feature lets every call pass, refuses it, or decides by the state of this process.
Fail: TypeAlias = Literal["open", "closed", "local"]


class StateLostError(Exception):
    """The shared store did not answer: it is out of reach, too slow, or refuses commands."""


class Command(msgspec.Struct, frozen=True):
    """A command such as `("SET", key, value, "PX", 1000)`; it must not block. `script` is the script that it runs."""

    words: tuple[Argument, ...]
    script: Script | None = None


def decision(name: str, keys: Sequence[str], *arguments: Argument) -> Command:
    """Return the command that runs one of `app/state/scripts`; all its keys share a hash slot."""
    found = script(name)
    return Command(("EVALSHA", found.sha1, len(keys), *keys, *arguments), found)


Submit: TypeAlias = Callable[[Command], asyncio.Future[Any]]


class Follower:
    """A feature that shares state over the link."""

    async def beat(self) -> None:
        """
        Apply the changes of other replicas.

        Raises:
            StateLostError: Redis did not answer.
        """

    def lost(self) -> None:
        """Handle the loss of the link."""


class Link(AbstractAsyncContextManager["Link"], Protocol):
    """
    The connection to Redis, up or down. While it is down no commands are sent, and features decide on their own.

    The process enters it after every feature has called `follow`.
    """

    @property
    def up(self) -> bool:
        """Return whether the link is up."""

    @property
    def key_prefix(self) -> str:
        """Return the prefix of every key."""

    def follow(self, follower: Follower) -> None:
        """Register a follower; before the link is entered."""

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """Send a command, if the link is up; the future fails with `StateLostError` if Redis does not answer."""

    def ride(self, command: Command) -> asyncio.Future[Any]:
        """Send a command together with the next one that is submitted; it causes no round trip of its own."""

    def alight(self, answer: asyncio.Future[Any]) -> bool:
        """Cancel a command of `ride`; return False if it was sent already."""

    def operate(self, command: Command) -> asyncio.Future[Any]:
        """
        Send a command for an operator, waiting up to 2 s, even while the link is down.

        It has a connection of its own, so that no call waits behind it and its failure does not take the link down.
        """

    async def ask(self, answer: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - as redis-py returns it
        """
        Wait for an answer, `redis.timeout_s` (50 ms) at most.

        Raises:
            StateLostError: There is no answer.
        """

    async def decide(self, command: Command) -> Any:  # noqa: ANN401 - likewise
        """
        Send a command and wait, as `ask` does.

        Raises:
            StateLostError: There is no answer; at once while the link is down.
        """


def arrived(answer: asyncio.Future[Any]) -> bool:
    """Return whether a done future has an answer; marks a loss as retrieved."""
    return not answer.cancelled() and answer.exception() is None


def unheeded(answer: asyncio.Future[Any]) -> None:
    """Ignore an answer, and its loss."""
    answer.add_done_callback(arrived)


async def all_of(link: Link, commands: Iterable[Command]) -> list[Any]:
    """
    Send several commands at once and wait for all answers.

    Raises:
        StateLostError: One has no answer; at once while the link is down.
    """
    if not link.up:
        raise StateLostError("down")
    return list(await asyncio.gather(*map(link.submit, commands)))


def text_of(value: bytes | str) -> str:
    """Decode a text, which redis-py returns as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def pairs_of(flat: Sequence[bytes] | Mapping[bytes, bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Pair up names and values, which redis-py returns as one list or, for some commands, as a mapping."""
    return flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)


def out_of_reach(what: str, more: str = "") -> GatewayError:
    """Return the error for calls that need shared state, if the policy is to refuse them."""
    return GatewayError(STATE_UNAVAILABLE, f"{what} Redis, which is out of reach{more}.", retry_after_s=1.0)
