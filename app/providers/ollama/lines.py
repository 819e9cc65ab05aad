"""Lines from bytes, incrementally and without I/O: the framing of answers that are streamed as lines of JSON."""

from __future__ import annotations

from typing import Final

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError

LINE_MAX_BYTES: Final = 16_777_216  # as much as one event of an event stream may hold


class Lines:
    """Feed bytes in, get complete lines out, however the bytes were cut; empty ones are left out."""

    def __init__(self, line_max_bytes: int = LINE_MAX_BYTES) -> None:
        self._line_max_bytes = line_max_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the lines they complete, none of them longer than its bound."""
        *complete, rest = data.split(b"\n")
        if complete:
            complete[0] = b"".join((*self._pending, complete[0]))
            self._pending, self._pending_bytes = [], 0
        if rest:
            self._pending.append(rest)
            self._pending_bytes += len(rest)
        if self._pending_bytes > self._line_max_bytes:
            raise GatewayError(
                BAD_UPSTREAM_REPLY, f"The provider sent a line of more than {self._line_max_bytes} bytes."
            )
        return [line for line in complete if line.strip()]

    def flush(self) -> list[bytes]:
        """Return the last line if its end is all that is missing."""
        rest = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        return [rest] if rest.strip() else []
