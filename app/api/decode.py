"""Bytes to chat request, with the path of the field that is wrong."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from app.core.errors import INVALID_JSON, GatewayError
from app.core.model import ChatFields, ChatRequest, Native
from app.core.wrong_field import wrong_field

T = TypeVar("T")
_CUT_OFF = "Input data was truncated"  # msgspec's words for a body that ends too early


class ChatDecoder:
    """Decodes chat bodies; one instance serves any number of requests."""

    def __init__(self) -> None:
        self._fields = msgspec.json.Decoder(ChatFields)

    def decode(self, raw: bytes, origin: Native | None = None) -> ChatRequest:
        """
        Return the request; with the `origin` that `raw` was translated from, if it was.

        Raises:
            GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
        """
        try:
            if not raw.isascii():
                raw.decode()  # msgspec skips the strings that it does not read, providers do not
            return ChatRequest(self._fields.decode(raw), raw, origin, translated=origin is not None)
        except msgspec.ValidationError as error:
            raise wrong_field(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_json(error) from error


def decode_as(kind: type[T], raw: bytes) -> T:
    """
    Return the small body `raw` as a `kind`.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
    """
    try:
        if not raw.isascii():
            raw.decode()  # what is kept as it is would come back as no JSON
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_json(error) from error


def bad_json(error: Exception) -> GatewayError:
    """Say what is wrong with a body that is no JSON; the decoder's words quote no content."""
    if isinstance(error, RecursionError):
        return GatewayError(INVALID_JSON, "The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return GatewayError(INVALID_JSON, "The body is not valid UTF-8.")
    words = "it is empty, or ends too early" if str(error) == _CUT_OFF else str(error)
    return GatewayError(INVALID_JSON, f"The body is not valid JSON: {words}.")
