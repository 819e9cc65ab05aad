"""
Forms with files (`multipart/form-data`), looked through and edited without copying what they carry.

Only the small fields are read; files stay where they are in the body. Nothing here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError

FORM: Final = "multipart/form-data"
_MODEL: Final = "model"  # the one field that the gateway itself acts on
FIELDS_MAX: Final = 64
_HEAD_MAX_BYTES: Final = 8192
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_DISPOSITION = re.compile(rb"content-disposition:\s*form-data\s*;([^\r\n]*)", re.IGNORECASE)
_NAME = re.compile(rb'(?:^|;)\s*name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILENAME = re.compile(rb"(?:^|;)\s*filename\*?=", re.IGNORECASE)


def is_form(media_type: str) -> bool:
    """Say whether a body of this type is a form."""
    return media_type.lower().startswith(FORM)


class Field(msgspec.Struct, frozen=True):
    """One field of a form: where its value stands in the body, and whether it is a file."""

    name: str
    start: int
    end: int
    is_file: bool


class Form:
    """
    A form in a body; of one that is only `begun`, the fields up to where the first file begins.

    `file_start` is where that is, None if no file has come.

    Raises:
        GatewayError: INVALID_REQUEST if the body is none, or has more fields than `FIELDS_MAX`.
    """

    def __init__(self, raw: bytes, media_type: str, *, begun: bool = False) -> None:
        self._raw = raw
        found = _fields(raw, media_type, begun=begun)
        self.file_start = next((field.start for field in found if field.is_file), None)
        self.fields = tuple(field for field in found if field.end >= 0)

    def value(self, name: str) -> str | None:
        """
        Return the text of a field, the last one of that name; None if there is none.

        Raises:
            GatewayError: INVALID_REQUEST with `param` if it is a file, or no UTF-8.
        """
        field = next((field for field in reversed(self.fields) if field.name == name), None)
        if field is None:
            return None
        if field.is_file:
            raise GatewayError(INVALID_REQUEST, f"The field {name!r} must not be a file.", param=name)
        try:
            return self._raw[field.start : field.end].decode()
        except UnicodeDecodeError as error:
            raise GatewayError(INVALID_REQUEST, f"The field {name!r} is not UTF-8.", param=name) from error

    def replaced(self, name: str, value: str) -> bytes:
        """Return the body with another text in every field of that name; every other byte stays."""
        return self._spliced([(field, value) for field in self.fields if field.name == name])

    def texts(self) -> bytes:
        """Return the fields that are texts, but the model, as a JSON list of objects with one member."""
        texts = [{field.name: self._raw[field.start : field.end].decode(errors="replace")} for field in self._prose()]
        return msgspec.json.encode(texts)

    def with_texts(self, texts: bytes) -> bytes:
        """Return the body with other texts, in the form of `texts`; files, names and everything else stay."""
        new = msgspec.json.decode(texts, type=list[dict[str, str]])
        return self._spliced(zip(self._prose(), ["".join(each.values()) for each in new], strict=True))

    def _prose(self) -> list[Field]:
        return [field for field in self.fields if not field.is_file and field.name != _MODEL]

    def _spliced(self, values: Iterable[tuple[Field, str]]) -> bytes:
        """Return the body with other values of some fields."""
        pieces, place = [], 0
        for field, value in values:
            pieces += [self._raw[place : field.start], value.encode()]
            place = field.end
        return b"".join([*pieces, self._raw[place:]])


class FormTail:
    """
    What follows the beginning of a form that is handed on while it arrives: looked through for a second model.

    The model in the beginning is the one that the caller's key, limits and prices were asked about. Providers differ in
    which of two they take, so a form may not name another one where nobody would see it. Sees every byte from inside
    the first file on, in pieces of any size.

    Args:
        media_type: That of the form, which names its boundary.
    """

    def __init__(self, media_type: str) -> None:
        self._border = _border(media_type)
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
            end = seen.find(b"\r\n\r\n", start, start + _HEAD_MAX_BYTES)
            if end < 0:
                self._wait(seen[found:])
                return
            if _field(seen[start:end], 0, 0).name == _MODEL:
                message = "The field 'model' must stand before the files, and only there."
                raise GatewayError(INVALID_REQUEST, message, param=_MODEL)
            place = end
        self._left = seen[max(place, len(seen) - len(border) + 1) :]

    def _wait(self, begun: bytes) -> None:
        """Keep the head of a field that is not complete."""
        if len(begun) > len(self._border) + _HEAD_MAX_BYTES:
            raise GatewayError(INVALID_REQUEST, "A field of the form has too long a head.")
        self._left = begun


def _fields(raw: bytes, media_type: str, *, begun: bool) -> tuple[Field, ...]:
    """Return all fields; of a form that is only begun, those that are complete and the first file, whose end is -1."""
    border = _border(media_type)
    place = len(border) - 2 if raw.startswith(border[2:]) else _behind(raw, border, 0)
    found: list[Field] = []
    while place > 0 and not raw.startswith(b"--", place):
        head_end = raw.find(b"\r\n\r\n", place, place + _HEAD_MAX_BYTES)
        next_place = _behind(raw, border, head_end + 4)
        if not raw.startswith(b"\r\n", place) or head_end < 0 or (next_place < 0 and not begun):
            place = -1
            break
        if len(found) == FIELDS_MAX:
            if begun:
                break
            raise GatewayError(INVALID_REQUEST, f"The form has more than {FIELDS_MAX} fields.")
        field = _field(raw[place:head_end], head_end + 4, next_place - len(border))
        if begun and field.is_file:
            found.append(msgspec.structs.replace(field, end=-1))
            break
        if next_place >= 0:
            found.append(field)
        place = next_place
    if place < 0 and not begun:
        raise GatewayError(INVALID_REQUEST, "The body is no complete form of the boundary that its content type names.")
    return tuple(found)


def _behind(raw: bytes, border: bytes, start: int) -> int:
    """Return the place behind the next border, or -1."""
    place = raw.find(border, start)
    return place + len(border) if place >= 0 else -1


def _border(media_type: str) -> bytes:
    """Return what stands before every field, the line break included."""
    found = _BOUNDARY.search(media_type)
    if found is None:
        raise GatewayError(INVALID_REQUEST, "The content type of a form must name its boundary.")
    return b"\r\n--" + (found[1] or found[2]).encode()


def _field(head: bytes, start: int, end: int) -> Field:
    """Return the field of this head, whose value stands at these places."""
    disposition = _DISPOSITION.search(head)
    name = _NAME.search(disposition[1]) if disposition is not None else None
    if disposition is None or name is None:
        raise GatewayError(INVALID_REQUEST, "A field of the form has no name.")
    is_file = _FILENAME.search(disposition[1]) is not None
    return Field(name[1].decode(errors="replace"), start, end, is_file)
