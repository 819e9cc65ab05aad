"""
The log: one line per event, written in batches.

During a call its signals are only appended to a list; a timer renders and writes them, many at once.
"""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from app.core.clock import Clock
from app.core.signals import Listener, Signal
from app.telemetry.event_spec import Event, fields_of
from app.telemetry.events import SILENT, events, severity
from app.telemetry.output import ByteFile, Output
from app.telemetry.rendering import LineFormat, Renderer, iso, plain_line, renderer

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

FLUSH_AFTER_S = 0.1  # the longest time until a line is written
FLUSH_AT = 256  # signals; rendering them blocks the event loop for about 1 ms, and should not for longer

_THRESHOLDS: Final = MappingProxyType(
    {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
)
_INFO: Final = logging.INFO  # a global is quicker to read than the attribute
_NAMES: Final = MappingProxyType({number: level for level, number in _THRESHOLDS.items()})


class LogBook:
    """
    The listener that logs. Belongs to one event loop; `write_line` and `admits` are safe in any thread.

    Args:
        file: Gets the lines, as UTF-8. Stays open.

        clock: Source of the timestamps.

        level: The least severe level that is written.

        line_format: `json` or `console`.

        flush_after_s: The longest time until a line is written; a full batch is written at once.
    """

    def __init__(
        self,
        file: ByteFile,
        clock: Clock,
        *,
        level: Level = "info",
        line_format: LineFormat = "json",
        flush_after_s: float = FLUSH_AFTER_S,
    ) -> None:
        self._output = Output(file)
        self._clock = clock
        self._threshold = _THRESHOLDS[level]
        self._render = renderer(line_format)
        self._is_json = line_format == "json"
        self._flush_after_s = flush_after_s
        self._pending: list[tuple[float, Signal]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def dropped(self) -> int:
        """Return how many lines could not be written."""
        return self._output.dropped

    @property
    def render(self) -> Renderer:
        """Return the function that renders fields as a line, for `write_line`."""
        return self._render

    def __call__(self, signal: Signal) -> None:
        """Queue a signal for the next batch."""
        if self._threshold > _INFO and severity(signal) < self._threshold:
            return
        pending = self._pending
        pending.append((self._clock.wall(), signal))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_after_s, self.flush)
        elif len(pending) >= FLUSH_AT:
            self.flush()

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Return this listener for the types of signals that have a line."""
        return () if kind in SILENT else (self.__call__,)  # a bound method is three times as fast as calling the object

    def set_level(self, level: Level) -> None:
        """Change the level from now on."""
        self._threshold = _THRESHOLDS[level]

    def admits(self, level: int) -> bool:
        """Return whether events of `level` (a number of the standard library) are written."""
        return level >= self._threshold

    def write_line(self, line: str) -> None:
        """Write an already rendered line at once."""
        self._output.write(f"{line}\n".encode())

    def note(self, signal: Signal) -> None:
        """Write a signal at once; for callers without an event loop."""
        if self.admits(severity(signal)):
            self._write([(self._clock.wall(), signal)])

    def flush(self) -> None:
        """Render and write all queued signals."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending = self._pending, []
        self._write(pending)

    def close(self) -> None:
        """Write the rest; waits a second at most for a slow reader. Idempotent."""
        self.flush()
        self._output.close()

    def _write(self, signals: list[tuple[float, Signal]]) -> None:
        lines: list[bytes] = []
        for wall_s, signal in signals:
            stamp, level = iso(wall_s), _NAMES[severity(signal)]
            for name, fields in events(signal):
                line = plain_line(stamp, level, name, fields) if self._is_json else None
                lines.append(self._sanitized(stamp, level, (name, fields)) if line is None else line)
        if lines:
            lines.append(b"")  # ends the last line
            self._output.write(b"\n".join(lines), len(lines) - 1)

    def _sanitized(self, stamp: str, level: str, event: Event) -> bytes:
        return self._render({"timestamp": stamp, "level": level, "event": event[0], **fields_of(event)}).encode()
