"""Renders an event as a log line: JSON by msgspec, text for people by structlog. No global configuration."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal, TypeAlias

import msgspec

LineFormat: TypeAlias = Literal["json", "console"]
Fields: TypeAlias = MutableMapping[str, Any]
Renderer: TypeAlias = Callable[[Fields], str]

LINE_MAX_BYTES = 2000  # a line passes a pipe or syslog in one piece, and the size of a log is predictable
VALUE_MAX_BYTES = 1024  # names and ids come from callers; legitimate ones are shorter
TRACE_MAX_BYTES = 1600  # frames are not from callers, and the innermost ones matter
_encode = msgspec.json.Encoder().encode
_SHORTEST = 32  # shorter texts are useless
_UTF8_MAX = 4
_SHORT = VALUE_MAX_BYTES // _UTF8_MAX  # a text of so few characters cannot exceed VALUE_MAX_BYTES


def renderer(line_format: LineFormat) -> Renderer:
    """Return a function that renders the fields of an event, in their order, as one line."""
    written, harmless = (_json, _is_harmless_json) if line_format == "json" else (_console(), str.isprintable)

    def render(fields: Fields) -> str:
        filled = {name: value for name, value in fields.items() if value is not None and value != ""}
        try:
            line = written(filled)
        except UnicodeEncodeError:  # JSON has no unpaired surrogates
            line = ""
        if line and len(line) <= VALUE_MAX_BYTES and line.isascii() and harmless(line):
            return line  # nearly always: no value can be too long or harmful
        tame = _tame(filled)
        line = written(tame)
        while len(line) > LINE_MAX_BYTES // _UTF8_MAX and len(line.encode()) > LINE_MAX_BYTES and _shorten(tame):
            line = written(tame)
        return line

    return render


def plain_line(stamp: str, level: str, event: str, fields: Fields | msgspec.Struct) -> bytes | None:
    """
    Encode an event whose fields are a struct, of which one at least is not empty, as a line of JSON.

    Returns None if fields have to be omitted, truncated or escaped first, which `renderer` does.
    """
    if isinstance(fields, dict):
        return None
    try:
        encoded = _encode(fields)
    except UnicodeEncodeError:  # JSON has no unpaired surrogates
        return None
    line = f'{{"timestamp":"{stamp}","level":"{level}","event":"{event}",'.encode() + encoded[1:]
    return line if len(line) <= VALUE_MAX_BYTES and line.isascii() and b"\x7f" not in line else None


def iso(wall_s: float) -> str:
    """Return `wall_s`, seconds since the Unix epoch, as ISO 8601 in UTC with milliseconds."""
    return _iso_ms(round(wall_s * 1000))


def _tame(fields: Fields) -> Fields:
    """
    Truncate every text, and escape what could harm terminals or parsers.

    JSON leaves some of it unescaped: DEL, C1 controls, direction marks, unpaired surrogates.
    """
    tame: Fields = {}
    for name, value in fields.items():
        if type(value) is not str or (len(value) <= _SHORT and value.isprintable()):
            tame[name] = value
        else:
            tame[name] = _printable(_last(value) if name == "trace" else _first(value))
    return tame


def _shorten(tame: Fields) -> bool:
    """Halve the longest text; return False if none is long enough."""
    name, value = max(
        ((name, value) for name, value in tame.items() if type(value) is str), key=lambda item: len(item[1])
    )
    if len(value) <= _SHORTEST:
        return False
    half = len(value) // 2
    tame[name] = "..." + value[-half:] if name == "trace" else value[:half] + "..."
    return True


def _first(value: str) -> str:
    head = value[:VALUE_MAX_BYTES].encode("utf-8", "backslashreplace")
    if len(value) <= VALUE_MAX_BYTES and len(head) <= VALUE_MAX_BYTES:
        return head.decode()
    return head[: VALUE_MAX_BYTES - 3].decode("utf-8", "ignore") + "..."


def _last(trace: str) -> str:
    tail = trace[-TRACE_MAX_BYTES:].encode("utf-8", "backslashreplace")
    if len(trace) <= TRACE_MAX_BYTES and len(tail) <= TRACE_MAX_BYTES:
        return tail.decode()
    return "..." + tail[3 - TRACE_MAX_BYTES :].decode("utf-8", "ignore")


def _printable(value: str) -> str:
    if value.isprintable():
        return value
    return "".join(sign if sign.isprintable() or sign < " " else ascii(sign)[1:-1] for sign in value)


def _json(fields: Fields) -> str:
    return _encode(fields).decode()


def _is_harmless_json(line: str) -> bool:
    """Return whether an ASCII line of JSON is printable: JSON escapes all control characters but DEL."""
    return "\x7f" not in line


def _console() -> Renderer:
    structlog = import_module("structlog.dev")  # costs 1 MB of memory, or 7 where rich is installed
    columns = structlog.ConsoleRenderer(colors=False, sort_keys=False, pad_event_to=18, repr_native_str=True)
    return lambda fields: str(
        columns(None, "", dict(fields))
    )  # a copy, as the renderer removes the fields that it writes


@lru_cache(maxsize=8)  # under load a dozen lines share a millisecond, and to format it costs as much as to encode one
def _iso_ms(wall_ms: int) -> str:
    second, millisecond = divmod(wall_ms, 1000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{millisecond:03d}Z"
