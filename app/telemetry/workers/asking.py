"""Asks other workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from enum import Enum, auto
from typing import Final

import msgspec

from app.telemetry.workers.directory import Place
from app.telemetry.workers.wire import Question, framed, read_frame

ASK_LIMIT_S: Final = 1.0  # so that a worker whose event loop is busy cannot delay a scrape for longer


class Missing(Enum):
    """Why a worker did not answer."""

    SILENT = auto()  # it is running, but too busy
    GONE = auto()  # its socket exists, but nobody listens: it died


class Heard(msgspec.Struct, frozen=True):
    """The answers of the other workers by name, and why some are missing."""

    answers: dict[str, bytes]
    missing: dict[str, Missing]


async def ask_all(place: Place, topic: str, about: bytes = b"", limit_s: float = ASK_LIMIT_S) -> Heard:
    """Ask every other worker a question with an answer of one frame; takes `limit_s` at most."""
    names = place.others()
    found = await asyncio.gather(*[_ask(place, name, Question(topic, about), limit_s) for name in names])
    heard = Heard({}, {})
    for name, answer in zip(names, found, strict=True):
        if isinstance(answer, Missing):
            heard.missing[name] = answer
        else:
            heard.answers[name] = answer
    return heard


async def frames(place: Place, name: str, question: Question) -> AsyncGenerator[bytes, None]:
    """
    Ask one worker and yield its answer frame by frame.

    Raises:
        OSError: The worker is not running, or ended meanwhile.
    """
    reader, writer = await asyncio.open_unix_connection(place.socket_of(name))
    try:
        writer.write(framed(msgspec.msgpack.encode(question)))
        await writer.drain()
        while (frame := await read_frame(reader)) is not None:
            yield frame
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _ask(place: Place, name: str, question: Question, limit_s: float) -> bytes | Missing:
    try:
        async with asyncio.timeout(limit_s):
            async with aclosing(frames(place, name, question)) as answer:
                frame = await anext(answer, None)
    except (ConnectionRefusedError, FileNotFoundError):
        return Missing.GONE
    except OSError:  # a TimeoutError among them
        return Missing.SILENT
    return Missing.SILENT if frame is None else frame  # a worker that ends closes the connection without an answer
