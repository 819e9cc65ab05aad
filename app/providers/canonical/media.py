"""Pictures, recordings and documents in a request: `data:` URLs taken apart, and what is said of addresses."""

from __future__ import annotations

import mimetypes
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from app.core.errors import INVALID_REQUEST, GatewayError

_DATA = re.compile(r"data:(?P<type>[^;,]*)(?:;[^,;]*)*?(?P<coded>;base64)?,", re.IGNORECASE)
_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}.items()


class Inline(NamedTuple):
    """What a `data:` URL holds; `base64` is its content as it was written."""

    media_type: str
    base64: str


def inline(url: str, param: str) -> Inline | None:
    """Take a `data:` URL apart, whose content must be base64; None for any other address."""
    if url[:5].lower() != "data:":
        return None
    found = _DATA.match(url)
    if found is None or not found["coded"]:
        raise GatewayError(INVALID_REQUEST, f"{param!r} must be a 'data:' URL with base64 content.", param=param)
    return Inline(found["type"].lower() or "application/octet-stream", url[found.end() :])


def guessed_type(url: str, otherwise: str) -> str:
    """Return the media type that the ending of an address speaks for."""
    try:
        return mimetypes.guess_type(urlsplit(url).path)[0] or otherwise
    except ValueError:  # that is no address, as the provider will say
        return otherwise


def audio_type(form: str) -> str:
    """Return the media type of a recording's `format`."""
    return dict(_AUDIO).get(form, f"audio/{form}")
