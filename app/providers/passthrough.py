"""
Passes a caller's own request to a provider, with the gateway's key in place of the caller's, and returns its answer.

Nothing is translated. Only headers of an allow-list pass, in both directions. Failures have the gateway's own form, so
that a provider's words about the gateway's key or network reach nobody. Because callers choose the path, which may be
one that echoes its request, the gateway's credentials are masked in every answer, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec

from app.core.addresses import behind
from app.core.bodies import whole
from app.core.call import AnswerHead, Attempt, Reply, Target
from app.core.clock import Clock
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    NOT_FOUND,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    GatewayError,
    Kind,
)
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.ports import Codec, Encoded, HttpRequest, Signer, UpstreamReply
from app.providers.answer_kind import media_type_of
from app.providers.endpoint import Endpoint, Provider, ReadingOptions
from app.providers.openai.errors import words_in
from app.providers.own_secrets import Blotter, OwnSecrets
from app.providers.passthrough_usage import LOOKED_MAX_BYTES, Counted, DocumentDecoder, EventsDecoder, PassDecoder
from app.providers.reading import Resumed, read_small
from app.providers.refusals import failure, kind_of_status

_RETURNED: Final = (
    "content-type", "content-length", "content-disposition", "content-range", "accept-ranges", "etag",
    "last-modified", "openai-version", "openai-processing-ms",
)  # fmt: skip
# Statuses about the gateway's own key and account, or about the provider; the codec interprets them.
_ABOUT_US: Final = frozenset({401, 402, 403, 407, 408, 429})
_NO_BODY: Final = frozenset({204, 205})


class PassCodec:
    """
    The `Codec` of passed-on requests: it encodes nothing, and decodes only failures, by the provider's own `dialect`.

    Callers may repeat the provider's `base_path`. `store` is the URL of its files and batches, with a `{path}` in it.
    """

    def __init__(self, dialect: Codec, base_path: str, store: str) -> None:
        self._dialect = dialect
        self._base_path = base_path
        self._store = store

    def encode(self, request: Request, target: Target) -> Encoded:  # noqa: ARG002 - the port's
        """Return the caller's own request."""
        if not isinstance(request, PlainRequest):
            raise TypeError("only what was written for the provider can be passed on")
        path = behind(self._base_path, request.path)
        if request.operation is not Operation.PASS:
            path, _, query = self._store.replace("{path}", request.path.partition("?")[0]).partition("?")
            path = _joined(path, query, request.path.partition("?")[2])
        kind = (("content-type", request.media_type),) if request.media_type else ()
        return Encoded(path, request.raw, kind, (), request.method, request.upload)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the answer unchanged."""
        return Completion(body, Counted().read(body) if _counts(request) else None)

    def decoder(self, request: Request) -> PassDecoder:  # noqa: ARG002 - the port's
        """Return a decoder that passes bytes on."""
        return PassDecoder(Blotter(()))  # unused: the endpoint masks the secrets

    def error(self, status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
        """Return the error for a status; if the request is at fault, in the provider's words."""
        if status < HTTPStatus.BAD_REQUEST:
            message = f"The provider sends elsewhere (status {status}), and the gateway does not follow."
            return GatewayError(BAD_UPSTREAM_REPLY, message)
        if status in _ABOUT_US or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._dialect.error(status, headers, body, wall_s)
        return failure(_kind(status), words_in(body).message, f"The provider refuses the request (status {status}).")


class PassEndpoint(Endpoint):
    """The end of the pipeline for requests that are passed on to one provider."""

    def __init__(self, provider: Provider, options: ReadingOptions, clock: Clock, body_max_bytes: int) -> None:
        super().__init__(provider, options, clock)
        self._body_max_bytes = body_max_bytes

    async def _answered(self, request: HttpRequest, reply: UpstreamReply, attempt: Attempt) -> Reply:
        secrets = self._known(request)
        attempt.call.journal.head = _head(reply, secrets)
        body = await self._small(request, reply, attempt)
        if isinstance(body, bytes):
            blotter = secrets.blotter()
            body = blotter.feed(body) + blotter.end()
            return Reply(self._provider.codec.decode(body, attempt.call.request))
        reply = reply if body is None else body
        decoder = _decoder(reply, attempt.call.request, secrets.blotter())
        return await self._streamed(reply, decoder, attempt, media_type_of(reply), secrets)

    async def _small(self, request: HttpRequest, reply: UpstreamReply, attempt: Attempt) -> bytes | Resumed | None:
        """Return the body if it can be read whole: empty, or a small document, whose usage gives the cost."""
        if request.method == "HEAD" or reply.status in _NO_BODY:
            return b""
        length = reply.headers.get("content-length", "")
        if not _is_document(reply) or (length.isdigit() and int(length) > LOOKED_MAX_BYTES):
            return None
        return await read_small(reply, self._guard(attempt), LOOKED_MAX_BYTES)

    async def _sign(self, request: HttpRequest, signer: Signer) -> HttpRequest:
        """Sign; a signature over the body needs it whole."""
        if request.upload is not None:
            body = await whole(request.body, request.upload, self._body_max_bytes)
            if body is None:
                message = f"A body that has to be signed may not be larger than {self._body_max_bytes} bytes."
                raise GatewayError(BODY_TOO_LARGE, message)
            request = msgspec.structs.replace(request, body=body, upload=None)
        return await signer.sign(request)


def passing(provider: Provider, store: str, codec_type: type[PassCodec] = PassCodec) -> Provider:
    """Return the provider for passed-on requests; `codec_type` translates what does not pass unchanged."""
    headers = tuple(header for header in provider.headers if header[0] != "content-type")
    codec = codec_type(provider.codec, urlsplit(provider.base_url).path, store)
    return msgspec.structs.replace(provider, headers=headers, codec=codec, usage=None)


def _joined(path: str, query: str, more: str) -> str:
    both = "&".join(part for part in (query, more) if part)
    return f"{path}?{both}" if both else path


def _head(reply: UpstreamReply, secrets: OwnSecrets) -> AnswerHead:
    given = reply.headers
    return AnswerHead(reply.status, tuple((name, secrets.hidden(given[name])) for name in _RETURNED if name in given))


def _is_document(reply: UpstreamReply) -> bool:
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json"


def _decoder(reply: UpstreamReply, request: Request, blotter: Blotter) -> PassDecoder:
    if not _counts(request):
        return PassDecoder(blotter)
    if reply.headers.get("content-type", "").lower().startswith("text/event-stream"):
        return EventsDecoder(blotter)
    return DocumentDecoder(blotter) if _is_document(reply) else PassDecoder(blotter)


def _counts(request: Request) -> bool:
    """Return whether an answer reports the usage of this request; a GET of an older answer used nothing."""
    return request.operation is Operation.PASS and isinstance(request, PlainRequest) and request.method == "POST"


def _kind(status: int) -> Kind:
    if status == HTTPStatus.NOT_FOUND:
        return NOT_FOUND
    kind = kind_of_status(status)
    return INVALID_REQUEST if kind in (TARGET_MISCONFIGURED, TARGET_FAILED) else kind
