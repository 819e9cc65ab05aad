"""
One attempt at one provider: encode, send, check the status, return the answer.

The only class that talks to providers. It raises before the commit point and returns a primed stream after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Final, Self

import msgspec

from app.core.bodies import wrong_field
from app.core.call import Attempt, Reply, Target
from app.core.clock import Clock
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    BODY_TOO_LARGE,
    TARGET_MODEL_MISSING,
    TIMEOUT_CONNECT,
    TIMEOUT_IDLE,
    TIMEOUT_TOTAL,
    GatewayError,
)
from app.core.model import Operation, PlainRequest, Request
from app.core.ports import Codec, Decoder, Encoded, HttpRequest, Signer, UpstreamClient, UpstreamReply
from app.core.stream import CommitRule, EventStream
from app.providers.answer_kind import is_whole, may_be_whole, media_type_of, require_plain, streamed_type
from app.providers.keyring import KeyRing
from app.providers.openai.stream_usage import AskingCodec, StreamUsage, UsageEndpoint
from app.providers.own_secrets import OwnSecrets
from app.providers.rate_headers import RateHeaders
from app.providers.reading import EventReading, ReadGuard, read_whole

ANSWER_MAX_BYTES = 64 * 1024 * 1024  # generous for answers that carry images or audio as base64
ERROR_MAX_BYTES = 64 * 1024
ERROR_WAIT_S = 2.0  # for the body of an error; its status is known already
BEARER: Final = "bearer"
GOOD = range(200, 300)
_OWN_LIMITS = (TIMEOUT_CONNECT, TIMEOUT_IDLE, TIMEOUT_TOTAL)


class Provider(msgspec.Struct, frozen=True):
    """
    A configured provider.

    `headers` are sent with every request and carry the credentials, unless there are several `keys` or a `signer`.
    `models` are the configured names, and `key_header` is how a key is sent (`bearer`, or a header's name). `usage`
    decides which streams are asked to report their usage, and `limits` reads the provider's own limits from answers;
    both are None if unused.
    """

    name: str
    base_url: str
    headers: tuple[tuple[str, str], ...]
    codec: Codec
    client: UpstreamClient
    models: tuple[str, ...] = ()
    keys: KeyRing | None = None
    signer: Signer | None = None
    usage: StreamUsage | None = None
    limits: RateHeaders | None = None
    key_header: str = BEARER


class ReadingOptions(msgspec.Struct, frozen=True):
    """How answers are read: the bounds of the network and the commit rule of streams."""

    connect_s: float
    idle_s: float
    commit: CommitRule


class Endpoints:
    """The innermost handler: passes each attempt to the endpoint of its target's provider."""

    def __init__(self, endpoints: Mapping[str, Endpoint | UsageEndpoint]) -> None:
        self._endpoints = {name: endpoint.__call__ for name, endpoint in endpoints.items()}

    @classmethod
    def of(cls, providers: Mapping[str, Provider], options: ReadingOptions, clock: Clock) -> Self:
        """Return the handler for the APIs that codecs translate."""
        return cls({name: _endpoint(provider, options, clock) for name, provider in providers.items()})

    def __call__(self, attempt: Attempt) -> Awaitable[Reply]:
        """
        Return the provider's answer.

        Raises:
            GatewayError: Every kind that blames the target, and errors of the request that the provider reports.
        """
        return self._endpoints[attempt.target.provider](attempt)


class Endpoint:
    """The end of the pipeline for one provider."""

    def __init__(self, provider: Provider, options: ReadingOptions, clock: Clock) -> None:
        self._provider = provider
        self._options = options
        self._clock = clock
        self._secrets = OwnSecrets(provider.headers, () if provider.keys is None else provider.keys.pool.secrets)

    def __call__(self, attempt: Attempt) -> Awaitable[Reply]:
        """Send the attempt and return the answer; see `Endpoints`."""
        provider, call = self._provider, attempt.call
        encoded = encoded_for(provider.codec, call.request, attempt.target)
        call.journal.dropped = encoded.dropped
        headers = _joined(provider.headers, encoded.headers) + call.headers
        if provider.keys is None:
            return self._send(attempt, encoded, headers)

        def send(key: str) -> Awaitable[Reply]:
            return self._send(attempt, encoded, (*headers, credential(provider.key_header, key)))

        return provider.keys.send(send, encoded.upload)

    async def _send(self, attempt: Attempt, encoded: Encoded, headers: tuple[tuple[str, str], ...]) -> Reply:
        url = self._provider.base_url + encoded.path
        request = HttpRequest(encoded.method, url, headers, encoded.body, self._options.connect_s, encoded.upload)
        journal = attempt.call.journal
        journal.attempts += 1
        started = self._clock.now()
        try:
            if self._provider.signer is not None:
                request = await self._sign(request, self._provider.signer)
            return await self._exchange(request, attempt)
        except GatewayError as error:
            raise self._blamed(attempt, self._known(request), error) from error.__cause__
        finally:
            journal.upstream_s += self._clock.now() - started

    async def _sign(self, request: HttpRequest, signer: Signer) -> HttpRequest:
        return await signer.sign(request)

    async def _exchange(self, request: HttpRequest, attempt: Attempt) -> Reply:
        reply = await self._provider.client.send(request)
        if self._provider.limits is not None:
            self._provider.limits.hear(attempt.target, reply.headers)
        kept = False
        try:
            if reply.status not in GOOD:
                raise await self._refusal(reply, attempt)
            require_plain(reply)
            answered = await self._answered(request, reply, attempt)
            kept = isinstance(answered.body, EventStream)  # which owns the connection from here on
            return answered
        finally:
            if not kept:
                await reply.aclose()

    async def _answered(self, request: HttpRequest, reply: UpstreamReply, attempt: Attempt) -> Reply:
        """Read a successful answer: whole, or a stream up to its first events."""
        asked = attempt.call.request
        if asked.stream and not is_whole(reply, asked):
            decoder, secrets = self._provider.codec.decoder(asked), self._known(request)
            return await self._streamed(reply, decoder, attempt, streamed_type(reply, asked), secrets)
        body = await read_whole(reply, self._guard(attempt), ANSWER_MAX_BYTES)
        completion = self._provider.codec.decode(body, asked)
        if completion.raw is body and isinstance(asked, PlainRequest):  # sound, subtitles, ...
            completion = msgspec.structs.replace(completion, media_type=media_type_of(reply))
        if asked.stream and not may_be_whole(asked):
            attempt.call.journal.unshown = completion.usage
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider answered a request for a stream without one.")
        return Reply(completion)

    async def _streamed(
        self, reply: UpstreamReply, decoder: Decoder, attempt: Attempt, media_type: str, secrets: OwnSecrets
    ) -> Reply:
        reading = EventReading(reply, decoder, self._guard(attempt), partial(self._blamed, attempt, secrets))
        stream = EventStream(reading, reading.release, media_type)
        try:
            await stream.prime(self._options.commit)
        except BaseException:
            attempt.call.journal.unshown = stream.held_usage  # charged for all the same
            raise
        return Reply(stream)

    def _guard(self, attempt: Attempt) -> ReadGuard:
        return ReadGuard(self._options.idle_s, attempt.call.deadline)

    async def _refusal(self, reply: UpstreamReply, attempt: Attempt) -> GatewayError:
        try:
            guard = ReadGuard(min(self._options.idle_s, ERROR_WAIT_S), attempt.call.deadline)
            body = await read_whole(reply, guard, ERROR_MAX_BYTES)
        except GatewayError:
            body = b""  # the status is enough
        error = self._provider.codec.error(reply.status, reply.headers, body, self._clock.wall())
        error.upstream_status = reply.status
        return error

    def _known(self, request: HttpRequest) -> OwnSecrets:
        """Return the headers that were sent; a signature differs each time."""
        return self._secrets if self._provider.signer is None else OwnSecrets(request.headers)

    def _blamed(self, attempt: Attempt, secrets: OwnSecrets, error: GatewayError) -> GatewayError:
        """Add the provider to an error, without our keys in its text; the gateway's own limits are not its answer."""
        name = self._provider.name
        error.message = secrets.hidden(error.message)
        error.param = None if error.param is None else secrets.hidden(error.param)
        if error.kind is TARGET_MODEL_MISSING:
            asked = attempt.call.request
            counted = asked.operation is Operation.COUNT_TOKENS  # which is for messages
            purpose = f" for {asked.operation.value}" if isinstance(asked, PlainRequest) and not counted else ""
            error.message = f"{name!r} has no model {attempt.target.model!r}{purpose}."
        own = error.kind in _OWN_LIMITS or (error.kind is BODY_TOO_LARGE and error.upstream_status is None)
        return error.at(name) if own else error.answered_by(name)


def _endpoint(provider: Provider, options: ReadingOptions, clock: Clock) -> Endpoint | UsageEndpoint:
    plain = Endpoint(provider, options, clock)
    if provider.usage is None:
        return plain
    asking = msgspec.structs.replace(provider, codec=AskingCodec(provider.codec))
    return UsageEndpoint(provider.usage, Endpoint(asking, options, clock).__call__, plain.__call__)


def credential(key_header: str, key: str) -> tuple[str, str]:
    """Return the header with a key."""
    return ("authorization", f"Bearer {key}") if key_header == BEARER else (key_header, key)


def encoded_for(codec: Codec, request: Request, target: Target) -> Encoded:
    """
    Return the request in the codec's dialect.

    Raises:
        GatewayError: As the codec does, and INVALID_REQUEST for a field of a wrong type that only this dialect reads.
    """
    try:
        return codec.encode(request, target)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error


def _joined(provider: tuple[tuple[str, str], ...], encoded: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return both; the codec's headers, which describe the body, override configured ones."""
    if not encoded:
        return provider
    own = {name for name, _ in encoded}
    return tuple([header for header in provider if header[0] not in own]) + encoded
