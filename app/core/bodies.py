"""Bodies of requests: decoded, with the path of what is wrong, or read from the caller while they are sent on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from app.core.errors import INVALID_JSON, INVALID_REQUEST, GatewayError

T = TypeVar("T")

_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.+)`", re.DOTALL)
_SHOWN_MAX_CHARS = 100
_CUT_OFF = "Input data was truncated"  # msgspec's words for a body that ends too early


def decoded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """
    Return what `decode`, a decoder's, makes of a body.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
    """
    try:
        if not raw.isascii():
            raw.decode()  # msgspec skips the strings that it does not read, providers do not
        return decode(raw)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_json(error) from error


def decode_as(kind: type[T], raw: bytes) -> T:
    """Return a body as a `kind`; see `decoded`."""
    return decoded(msgspec.json.Decoder(kind).decode, raw)


def wrong_field(error: msgspec.ValidationError) -> GatewayError:
    """Turn msgspec's complaint into a message and the path of the field."""
    place = _PLACE.match(str(error))
    problem, path = (place["problem"], place["path"] or "") if place else (str(error), "")
    for pattern, words in ((_MISSING, "is missing"), (_UNKNOWN, "is unknown here")):
        found = pattern.match(problem)
        if found:
            field = found["field"][:_SHOWN_MAX_CHARS]
            path = f"{path}.{field}" if path else field
            return GatewayError(INVALID_REQUEST, f"The field {path!r} {words}.", param=path)
    if not path:
        return GatewayError(INVALID_REQUEST, f"The body is not a JSON object of the right form: {problem}.")
    return GatewayError(INVALID_REQUEST, f"The field {path!r} is wrong: {problem}.", param=path)


def bad_json(error: Exception) -> GatewayError:
    """Say what is wrong with a body that is no JSON; the decoder's words quote no content."""
    if isinstance(error, RecursionError):
        return GatewayError(INVALID_JSON, "The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return GatewayError(INVALID_JSON, "The body is not valid UTF-8.")
    words = "it is empty, or ends too early" if str(error) == _CUT_OFF else str(error)
    return GatewayError(INVALID_JSON, f"The body is not valid JSON: {words}.")


class Upload(Protocol):
    """
    A body that is not held in memory, or what follows the part of it that is. It can be read once.

    Whoever has begun to read it cannot send it again.
    """

    @property
    def length(self) -> int | None:
        """Return how many bytes it has, None where the caller did not say."""

    @property
    def begun(self) -> bool:
        """Say whether any of it was handed out."""

    async def next(self) -> bytes | None:
        """
        Return the next piece as soon as it is there, None at the end.

        Raises:
            GatewayError: BODY_TOO_LARGE.
        """


async def whole(held: bytes, upload: Upload, max_bytes: int) -> bytes | None:
    """Return all of a body, for those who have to see it before they send it; None if it is larger than that."""
    parts, size = [held], len(held)
    while (piece := await upload.next()) is not None:
        size += len(piece)
        if size > max_bytes:
            return None
        parts.append(piece)
    return b"".join(parts)
