"""
Operations other than chat, in OpenAI's formats: embeddings, moderations, images, speech and others.

The gateway reads only the model and a few other fields; requests and answers are forwarded byte for byte.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from app.api.dialects.chat import Verbatim
from app.api.dialects.port import Dialect, Style
from app.api.inbound import Headers, is_foreign_page, media_type_of, refuse_compressed, require_json
from app.api.request_options import NOTHING_ASKED, RequestOptions
from app.core.bodies import Upload, decode_as
from app.core.call import Call
from app.core.clock import Clock
from app.core.errors import FORBIDDEN, INVALID_REQUEST, GatewayError
from app.core.model import Operation, PlainRequest, Request, StreamOptions
from app.core.multipart import FORM, Form

_FORM: Final = FORM.encode()
# For other operations `stream` has no meaning here, and is left to the provider.
_STREAMED: Final = frozenset({Operation.COMPLETIONS, Operation.IMAGES, Operation.TRANSCRIPTIONS})


class _Fields(msgspec.Struct, frozen=True):
    """The fields that the gateway reads from a JSON body; no operation has all of them."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stream_format: Literal["sse", "audio"] | None = None
    input: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    query: msgspec.Raw = msgspec.Raw()
    documents: msgspec.Raw = msgspec.Raw()
    user: str | None = None


class _Document(msgspec.Struct, frozen=True):
    text: str = ""


class PlainDialect(Dialect):
    """
    One operation at one path.

    Args:
        operation: The operation.

        path: The path below `/v1`, without a leading slash.

        form: Whether a multipart form may be sent instead of JSON.
    """

    def __init__(self, operation: Operation, path: str, *, form: bool = False) -> None:
        self._operation = operation
        self.path = path
        self.endpoint = operation.value
        self.form = form

    def require(self, headers: Headers) -> None:
        """Require JSON, or a form if the operation accepts one; see the base class."""
        if not (self.form and is_form(headers)):
            require_json(headers)
        elif is_foreign_page(headers):
            message = "A web page of another origin may not send forms to the gateway without a key."
            raise GatewayError(FORBIDDEN, message)
        else:
            refuse_compressed(headers)

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:
        """Read the few fields that the gateway needs; these formats have no gateway options."""
        if self.form and is_form(headers):
            return self.read_form(raw, headers[b"content-type"].decode("latin-1")), NOTHING_ASKED
        fields = decode_as(_Fields, raw)
        options = fields.stream_options
        request = PlainRequest(
            self._operation,
            fields.model,
            raw,
            stream=self._streams(stream=bool(fields.stream)),
            path=self.path,
            text=_prose(fields),
            user=fields.user,
            asks_for_usage=self._operation is not Operation.COMPLETIONS or bool(options and options.include_usage),
        )
        return request, NOTHING_ASKED

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return a style that forwards the answer."""
        return _Bytes(call) if self._operation is Operation.SPEECH else Verbatim(call)

    def _streams(self, *, stream: bool) -> bool:
        if self._operation is Operation.SPEECH:
            return True  # audio is always forwarded as it arrives
        return stream and self._operation in _STREAMED

    def read_form(self, raw: bytes, media_type: str, rest: Upload | None = None) -> PlainRequest:
        """
        Read a whole form, or the beginning of one whose `rest` is streamed.

        Raises:
            GatewayError: INVALID_REQUEST.
        """
        form = Form(raw, media_type, begun=rest is not None)
        model = form.value("model")
        if not model:
            raise GatewayError(INVALID_REQUEST, "The field 'model' is missing.", param="model")
        stream = self._streams(stream=(form.value("stream") or "").lower() == "true")
        prompt = form.value("prompt")
        return PlainRequest(
            self._operation,
            model,
            raw,
            stream=stream,
            path=self.path,
            media_type=media_type,
            text=(prompt,) if prompt else (),
            user=form.value("user"),
            upload=rest,
        )


def plain_dialects() -> dict[str, Dialect]:
    """Return the dialect of each of these routes by its path."""
    dialects = (
        PlainDialect(Operation.COMPLETIONS, "completions"),
        PlainDialect(Operation.EMBEDDINGS, "embeddings"),
        PlainDialect(Operation.MODERATIONS, "moderations"),
        PlainDialect(Operation.RERANK, "rerank"),
        PlainDialect(Operation.IMAGES, "images/generations"),
        PlainDialect(Operation.IMAGES, "images/edits", form=True),
        PlainDialect(Operation.IMAGES, "images/variations", form=True),
        PlainDialect(Operation.SPEECH, "audio/speech"),
        PlainDialect(Operation.TRANSCRIPTIONS, "audio/transcriptions", form=True),
        PlainDialect(Operation.TRANSLATIONS, "audio/translations", form=True),
    )
    return {f"/v1/{dialect.path}": dialect for dialect in dialects}


class _Bytes(Verbatim):
    """Forwards audio, which cannot carry an error: a failure only breaks the connection."""

    def failure(self, error: GatewayError) -> bytes:  # noqa: ARG002 - the port's
        """Return nothing."""
        return b""


def is_form(headers: Headers) -> bool:
    """Return whether a body is a multipart form."""
    return media_type_of(headers) == _FORM


def _prose(fields: _Fields) -> tuple[str, ...]:
    """Return the texts of a body, whichever of its fields holds them; inputs given as tokens are left out."""
    texts: list[str] = []
    for raw in (fields.query, fields.prompt, fields.input, fields.documents):
        if bytes(raw)[:1] in {b'"', b"[", b"{"}:
            texts += _texts(raw)
    return tuple(texts)


def _texts(raw: msgspec.Raw) -> list[str]:
    try:
        value = msgspec.json.decode(raw, type=str | _Document | list[str | int | _Document | list[int]])
    except msgspec.ValidationError:
        return []  # the provider reports what is wrong
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else item.text for item in items if isinstance(item, str | _Document)]
