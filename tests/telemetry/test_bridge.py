"""Records of other libraries stand in the same log, without the content that they quote."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.telemetry.bridge import configure_stdlib
from app.telemetry.fanout import FanOut
from app.telemetry.logs import Level, LogBook
from tests.telemetry.examples import STARTED, Blocks, FixedClock

SECRET = "my secret prompt"
ABORTED = "ASGI callable returned without completing response."


class Bridged:
    """A log book that hears the standard library's logging."""

    def __init__(self, level: Level) -> None:
        self._file = Blocks()
        self.book = LogBook(self._file, FixedClock(), level=level)
        self.undo = configure_stdlib(self.book)

    def lines(self) -> list[dict[str, Any]]:
        """Close the book and return its lines, which hold nothing secret."""
        self.book.close()
        assert SECRET not in b"".join(self._file.written).decode()
        return self._file.lines()


@pytest.fixture
def bridged() -> Iterator[Callable[..., Bridged]]:
    """Open bridges to books of a level, and take them down at the end."""
    opened: list[Bridged] = []

    def bridge(level: Level = "info") -> Bridged:
        opened.append(Bridged(level))
        return opened[-1]

    yield bridge
    for one in reversed(opened):
        one.undo()
        one.book.close()


def test_a_record_comes_out_in_the_format_of_the_log(bridged: Callable[..., Bridged]) -> None:
    """Level, logger and place are fields; numbers are filled into the message."""
    log = bridged()

    logging.getLogger("uvicorn.error").warning("Child process [%d] died", 42)
    (line,) = log.lines()

    assert line.pop("timestamp").endswith("Z")
    assert line.pop("source").startswith("test_bridge:")
    assert {
        "level": "warning",
        "event": "server_log",
        "message": "Child process [42] died",
        "logger": "uvicorn.error",
    } == line


def test_an_exception_keeps_type_and_frames_but_not_its_message(bridged: Callable[..., Bridged]) -> None:
    """A bug in the application can be found, and what it quoted stays private; causes come first."""
    log = bridged()

    def inner() -> None:
        raise KeyError(SECRET)

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    (line,) = log.lines()

    assert "Exception in ASGI application" == line["message"]
    assert "ValueError" == line["error"]
    heads = [entry for entry in line["trace"].splitlines() if not entry.startswith(" ")]
    assert ["KeyError:", "ValueError:"] == heads
    assert "test_bridge.py" in line["trace"]
    assert " inner" in line["trace"]


def test_a_circle_of_causes_ends(bridged: Callable[..., Bridged]) -> None:
    """Exceptions that caused each other are shown a few times, not for ever."""
    log = bridged()
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first

    logging.getLogger("any").error("failed", exc_info=first)
    (line,) = log.lines()

    assert 5 == len(line["trace"].splitlines())


def test_an_error_without_an_exception_has_no_trace(bridged: Callable[..., Bridged]) -> None:
    """`exc_info` outside of a handler means nothing."""
    log = bridged()

    logging.getLogger("any").error("failed", exc_info=(None, None, None))
    (line,) = log.lines()

    assert {"error", "trace"}.isdisjoint(line)


@pytest.mark.parametrize(
    ("message", "arguments", "shown"),
    [
        ("returned '%s'.", (SECRET,), "returned '?'."),
        ("%s took %.3f seconds", (SECRET, 1.5), "? took 1.500 seconds"),
        (f"future: <Task exception=ValueError('{SECRET}')>", (), "future:"),
        (f"Task exception was never retrieved\nfuture: {SECRET}", (), "Task exception was never retrieved"),
        (f"Exception in callback send('{SECRET}')", (), "Exception in callback send"),
        ("first %d\nsecond", (1,), "first 1"),
        ("no %d number", (SECRET,), "no %d number"),
        ("%(name)s", ({"name": SECRET},), "%(name)s"),
        (ValueError(SECRET), (), "ValueError"),
        (OSError(98, "address already in use"), (), "address already in use"),
        (OSError(SECRET), (), "OSError"),
    ],
)
def test_messages_lose_what_may_be_content(
    bridged: Callable[..., Bridged], message: object, arguments: tuple[object, ...], shown: str
) -> None:
    """Texts given as arguments and representations are left out."""
    log = bridged()

    logging.getLogger("some.library").warning(message, *arguments)
    (line,) = log.lines()

    assert shown == line["message"]


def _broken(_signal: object) -> None:
    raise ValueError(SECRET)


def test_the_gateways_own_records_are_told_in_full(bridged: Callable[..., Bridged]) -> None:
    """We know what we log ourselves."""
    log = bridged()

    FanOut([_broken])(STARTED)
    (line,) = log.lines()

    assert "The listener _broken raised ValueError; further ones are only counted." == line["message"]


def test_a_traceback_sent_as_text_keeps_type_and_frames(bridged: Callable[..., Bridged]) -> None:
    """Starlette reports a failed start as one text, whose last line quotes the error."""
    log = bridged()
    text = (
        "Traceback (most recent call last):\n"
        '  File "/app/one.py", line 3, in start\n'
        "    open_everything()\n"
        "    ~~~~~~~~~~~~~~~^^\n"
        '  File "/app/two.py", line 7, in open_everything\n'
        f"    raise ValueError('{SECRET}')\n"
        f"app.errors.StartError: {SECRET}\n"
        f"and more of {SECRET}: much\n"
    )

    logging.getLogger("uvicorn.error").error(text)
    (line,) = log.lines()

    assert "Traceback" == line["message"]
    assert "app.errors.StartError" == line["error"]
    assert [
        '  File "/app/one.py", line 3, in start',
        '  File "/app/two.py", line 7, in open_everything',
    ] == line["trace"].splitlines()


async def test_a_failure_inside_the_event_loop_is_told_without_content(bridged: Callable[..., Bridged]) -> None:
    """The loop describes the failing callback with its arguments; those stay out."""
    log = bridged()
    reported = asyncio.Event()

    def callback(_text: str) -> None:
        asyncio.get_running_loop().call_soon(reported.set)
        raise ValueError(SECRET)

    asyncio.get_running_loop().call_soon(callback, SECRET)
    async with asyncio.timeout(60):
        await reported.wait()
    (line,) = log.lines()

    assert ("asyncio", "ValueError") == (line["logger"], line["error"])
    assert line["message"].startswith("Exception in callback")


def test_aborting_a_stream_on_purpose_is_no_news(bridged: Callable[..., Bridged]) -> None:
    """What uvicorn says about a response that we broke off is dropped."""
    log = bridged()

    logging.getLogger("uvicorn.error").error(ABORTED)

    assert [] == log.lines()


def test_chatter_and_access_lines_are_left_out(bridged: Callable[..., Bridged]) -> None:
    """Below WARNING nothing of other libraries is logged, and the access log never: it holds query strings."""
    log = bridged("debug")

    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    logging.getLogger("httpx2").info("HTTP Request: GET http://127.0.0.1/?key=%s", SECRET)
    logging.getLogger("uvicorn.access").error("GET /?key=%s", SECRET)

    assert [] == log.lines()


def test_the_level_of_the_log_holds_for_records_too(bridged: Callable[..., Bridged]) -> None:
    """A book for errors keeps no warnings, until its level is changed."""
    log = bridged("error")

    logging.getLogger("any").warning("one")
    log.book.set_level("warning")
    logging.getLogger("any").warning("two")

    assert ["two"] == [line["message"] for line in log.lines()]


def test_records_may_come_from_any_thread(bridged: Callable[..., Bridged]) -> None:
    """A library's thread can log while the loop does."""
    log = bridged()
    threads = [threading.Thread(target=logging.getLogger("any").warning, args=("hello",)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["hello"] * 8 == [line["message"] for line in log.lines()]


def test_everything_can_be_put_back() -> None:
    """Loggers are left as they were found."""
    root, server = logging.getLogger(), logging.getLogger("uvicorn.error")
    before = [(logger.handlers, logger.level, logger.propagate) for logger in (root, server)]
    book = LogBook(Blocks(), FixedClock())

    configure_stdlib(book)()
    book.close()

    assert before == [(logger.handlers, logger.level, logger.propagate) for logger in (root, server)]
