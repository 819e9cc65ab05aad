"""
Routes records of the standard library's logging into the log book, without any content that they quote.

The message of an exception may quote a request, so only its type and frames are kept. Messages of records can quote
too: arguments other than numbers are dropped, and preformatted text is cut where a representation may begin.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator

from app.telemetry.logs import LogBook
from app.telemetry.rendering import Fields, iso

_ABORTED = "ASGI callable returned without completing response."  # the intended way to cut off a broken stream
_TRACEBACK = "Traceback (most recent call last):"  # Starlette reports a failed start as such a text
_CHAIN_MAX = 5
_QUOTING = re.compile(r"[\n(<{\[]")  # asyncio appends representations of tasks, handles and protocols
_LOGGERS = ("", "uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error", "asyncio")


def configure_stdlib(book: LogBook) -> Callable[[], None]:
    """
    Send records of WARNING and above, of every library, into `book`.

    Also takes over the loggers of uvicorn, which must be started without a log configuration of its own. The access log
    is dropped: `request_completed` has more information, and never a query string.

    Returns:
        A function that restores the previous configuration.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [], logger.name != "uvicorn.access"
        logger.setLevel(logging.NOTSET)
    root = logging.getLogger()
    root.handlers = [_Bridge(book)]
    root.setLevel(logging.WARNING)

    def undo() -> None:
        for logger, handlers, level, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)

    return undo


class _Bridge(logging.Handler):
    def __init__(self, book: LogBook) -> None:
        super().__init__()
        self._book = book
        self.addFilter(self._wanted)

    def emit(self, record: logging.LogRecord) -> None:
        self._book.write_line(self._book.render(_described(record)))

    def _wanted(self, record: logging.LogRecord) -> bool:
        return record.msg != _ABORTED and self._book.admits(record.levelno)


def _described(record: logging.LogRecord) -> Fields:
    """Return the fields of a record that may be logged."""
    fields: Fields = {
        "timestamp": iso(record.created),
        "level": record.levelname.lower(),
        "event": "server_log",
        "message": _message(record),
        "logger": record.name,
        "source": f"{record.module}:{record.lineno}",
    }
    raised = record.exc_info[1] if record.exc_info else None
    if raised is not None:
        fields["error"] = type(raised).__qualname__
        fields["trace"] = "\n".join(_frames(raised))
    elif isinstance(record.msg, str) and record.msg.startswith(_TRACEBACK):
        fields["error"], fields["trace"] = _of_text(record.msg)
    return fields


def _message(record: logging.LogRecord) -> str:
    template, arguments = record.msg, record.args
    if isinstance(template, OSError):  # uvicorn logs a failed bind as the exception, whose text names the address
        return template.strerror or type(template).__qualname__
    if not isinstance(template, str):
        return type(template).__qualname__
    if not arguments:
        return _QUOTING.split(template, maxsplit=1)[0].rstrip()
    if isinstance(arguments, tuple) and not record.name.startswith("app."):
        arguments = tuple(map(_number, arguments))
    try:
        filled = template % arguments if isinstance(arguments, tuple) else template
    except (TypeError, ValueError):  # the arguments do not fit the template
        filled = template
    return filled.partition("\n")[0]


def _number(argument: object) -> object:
    return argument if isinstance(argument, (int, float)) else "?"


def _frames(error: BaseException) -> Iterator[str]:
    """Yield a line per frame, outermost first, causes before their effects; without any message."""
    for link in reversed(_chain(error)):
        yield f"{type(link).__qualname__}:"
        frames = traceback.walk_tb(link.__traceback__)
        for frame in traceback.StackSummary.extract(frames, lookup_lines=False):
            yield f"  {frame.filename}:{frame.lineno} {frame.name}"


def _of_text(text: str) -> tuple[str, str]:
    """Return type and frames of a formatted traceback, without source lines and message."""
    error, frames = "", []
    for line in text.splitlines():
        if line.startswith('  File "'):
            frames.append(line)
            error = ""
        elif not error and not line.startswith(" "):
            error = line.partition(":")[0]
    return error, "\n".join(frames)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while len(chain) < _CHAIN_MAX:  # chains of causes can be cyclic
        last = chain[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None:
            break
        chain.append(cause)
    return chain
