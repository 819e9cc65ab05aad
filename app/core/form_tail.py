"""
What follows the beginning of a form that is handed on while it arrives: looked through for a second model. No I/O.

The model in the beginning is the one that the caller's key, limits and prices were asked about. Providers differ in
which of two they take, so a form may not name another one where nobody would see it.
"""

from __future__ import annotations

from typing import Final

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.multipart import HEAD_MAX_BYTES, border_of, field_of

_MODEL: Final = "model"


class FormTail:
    """
    Sees every byte from inside the first file on, in pieces of any size.

    Args:
        media_type: That of the form, which names its boundary.
    """

    def __init__(self, media_type: str) -> None:
        self._border = border_of(media_type)
        self._left = b""

    def look(self, piece: bytes) -> None:
        """
        Look at the next bytes.

        Raises:
            GatewayError: INVALID_REQUEST if they name a model, or are no form.
        """
        seen, border, place = self._left + piece, self._border, 0
        while (found := seen.find(border, place)) >= 0:
            start = found + len(border)
            if seen.startswith(b"--", start):  # the end; whatever follows is no part of the form
                place = start
                continue
            end = seen.find(b"\r\n\r\n", start, start + HEAD_MAX_BYTES)
            if end < 0:
                self._wait(seen[found:])
                return
            if field_of(seen[start:end], 0, 0).name == _MODEL:
                message = "The field 'model' must stand before the files, and only there."
                raise GatewayError(INVALID_REQUEST, message, param=_MODEL)
            place = end
        self._left = seen[max(place, len(seen) - len(border) + 1) :]

    def _wait(self, begun: bytes) -> None:
        """Keep the head of a field that is not complete."""
        if len(begun) > len(self._border) + HEAD_MAX_BYTES:
            raise GatewayError(INVALID_REQUEST, "A field of the form has too long a head.")
        self._left = begun
