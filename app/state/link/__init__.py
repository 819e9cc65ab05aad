"""
What a feature that shares its state through Redis stands on; redis-py itself is not imported here.

An adapter keeps a `Link`, asks it for `Command`s (Redis's own, or a `decision`, which is a script), and follows it: it
is told twice a second to catch up, and when Redis was lost. Every answer may be a `StateLostError`; what then happens
is the policy of the feature (`redis.fail`).
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
# While Redis is out of reach, a feature lets every call through, refuses it, or decides by what this process knows.
Fail: TypeAlias = Literal["open", "closed", "local"]


class StateLostError(Exception):
    """Whoever keeps the state did not answer: out of reach, too slow, or not willing to."""


class Command(msgspec.Struct, frozen=True):
    """What Redis is asked, such as `("SET", key, value, "PX", 1000)`; it must not block. `script` is what that runs."""

    words: tuple[Argument, ...]
    script: Script | None = None


def decision(name: str, keys: Sequence[str], *arguments: Argument) -> Command:
    """Return what asks for one of `app/state/scripts`; all its keys share a hash slot."""
    found = script(name)
    return Command(("EVALSHA", found.sha1, len(keys), *keys, *arguments), found)


Submit: TypeAlias = Callable[[Command], asyncio.Future[Any]]


class Follower:
    """Someone who shares state over the link."""

    async def beat(self) -> None:
        """
        Catch up with what others did.

        Raises:
            StateLostError: Redis did not answer.
        """

    def lost(self) -> None:
        """Take note that the link is down."""


class Link(AbstractAsyncContextManager["Link"], Protocol):
    """
    The way to Redis, up or down. While it is down nobody asks: whoever shares state decides alone.

    The process enters it once every feature follows.
    """

    @property
    def up(self) -> bool:
        """Tell whether Redis can be asked now."""

    @property
    def key_prefix(self) -> str:
        """Return what every key begins with."""

    def follow(self, follower: Follower) -> None:
        """Let `follower` share the link's life; before the link is entered."""

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """Ask for one thing, if the link is up; the future fails with `StateLostError` if Redis does not answer."""

    def ride(self, command: Command) -> asyncio.Future[Any]:
        """Ask for one thing when something else leaves; nothing is sent for its sake."""

    def alight(self, answer: asyncio.Future[Any]) -> bool:
        """Ask no more for what `ride` returned; False if that has left already."""

    def operate(self, command: Command) -> asyncio.Future[Any]:
        """
        Ask for one thing on behalf of an operator, who can wait: for 2 s, whether the link is up or not.

        It has a connection of its own, so no call waits behind it, and what is lost there does not take the link down.
        """

    async def ask(self, answer: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - as redis-py hands it over
        """
        Wait for what was asked for, for `redis.timeout_s` (50 ms) at most.

        Raises:
            StateLostError: There is no answer.
        """

    async def decide(self, command: Command) -> Any:  # noqa: ANN401 - likewise
        """
        Ask for one thing and wait, as `ask` does.

        Raises:
            StateLostError: There is no answer; at once while the link is down.
        """


def arrived(answer: asyncio.Future[Any]) -> bool:
    """Say whether an answer is there, once it or its loss is; takes note of a loss that nobody waits for."""
    return not answer.cancelled() and answer.exception() is None


def unheeded(answer: asyncio.Future[Any]) -> None:
    """Let an answer go that nobody waits for, and the loss of it, too."""
    answer.add_done_callback(arrived)


async def all_of(link: Link, commands: Iterable[Command]) -> list[Any]:
    """
    Ask for several things at once and wait for all.

    Raises:
        StateLostError: One has no answer; at once while the link is down.
    """
    if not link.up:
        raise StateLostError("down")
    return list(await asyncio.gather(*map(link.submit, commands)))


def text_of(value: bytes | str) -> str:
    """Return a word that redis-py hands over as it came."""
    return value.decode() if isinstance(value, bytes) else value


def pairs_of(flat: Sequence[bytes] | Mapping[bytes, bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Pair up names and values, which redis-py hands over in one list or, for some commands, as a mapping."""
    return flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)


def out_of_reach(what: str, more: str = "") -> GatewayError:
    """Return what a caller is told whose call needs shared state, where the policy for that is to refuse."""
    return GatewayError(STATE_UNAVAILABLE, f"{what} Redis, which is out of reach{more}.", retry_after_s=1.0)
