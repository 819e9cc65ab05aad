"""The texts of forms with files: taken out as JSON, so that they are looked at like any other body, and put back."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.core.multipart import FORM, Field, Form

_NO_TEXT = "model"  # the one field that the gateway itself acts on


def is_form(media_type: str) -> bool:
    """Say whether a body of this type is a form."""
    return media_type.lower().startswith(FORM)


def texts_in(raw: bytes, media_type: str) -> bytes:
    """Return the fields of a form that are texts, in order, as a JSON list of objects with one member."""
    fields = _texts(raw, media_type)
    return msgspec.json.encode([{each.name: raw[each.start : each.end].decode(errors="replace")} for each in fields])


def with_texts(raw: bytes, media_type: str, texts: bytes) -> bytes:
    """Return the form with other texts, as `texts_in` returns them; files, names and everything else stay."""
    new = msgspec.json.decode(texts, type=list[dict[str, str]])
    pieces, place = [], 0
    for field, texts_of_field in zip(_texts(raw, media_type), new, strict=True):
        pieces += [raw[place : field.start], *[text.encode() for text in texts_of_field.values()]]
        place = field.end
    return b"".join([*pieces, raw[place:]])


def _texts(raw: bytes, media_type: str) -> Iterator[Field]:
    return (field for field in Form(raw, media_type).fields if not field.is_file and field.name != _NO_TEXT)
