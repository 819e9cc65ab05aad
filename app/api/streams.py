"""`GET /v1/streams/{id}`: resume a stream after a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Header, Query, Request, Response

from app.api.asgi import AsgiSink, ClientGoneError, ClientWatch, Receive, Scope, Send
from app.api.errors import stopping
from app.api.json_routes import caller_of
from app.api.respond import STREAM_HEADERS, KeepAlive
from app.api.taping import STREAM_ID
from app.core.errors import INVALID_REQUEST, STREAM_BROKEN, STREAM_NOT_FOUND, GatewayError
from app.core.gateway import CurrentGateway
from app.core.lifecycle import Lifecycle
from app.core.signals import Listener, StreamResumed
from app.core.stream import EVENTS
from app.core.tapes import Readable, TapeEnd, Tapes

_After: TypeAlias = Annotated[str | None, Query(description="Number of the last event that the client has.")]
_Last: TypeAlias = Annotated[
    str | None, Header(alias="last-event-id", description="The same; counts if both are there.")
]
_DIGITS_MAX: Final = 10
_COMPLETE: Final = 204  # a browser's EventSource does not reconnect after it


def streams_router(gateways: CurrentGateway, tapes: Tapes, listener: Listener, lifecycle: Lifecycle) -> APIRouter:
    """Return the route under /v1/streams; a caller can resume only the streams of its own tenant."""
    router = APIRouter(prefix="/v1/streams", tags=["streams"])

    @router.get(
        "/{stream_id}",
        summary="Go on with a stream whose connection was lost",
        responses={
            200: {"content": {"text/event-stream": {}}},
            _COMPLETE: {"description": "Nothing is missing."},
        },
    )
    async def resume(request: Request, stream_id: str, after: _After = None, last: _Last = None) -> Response:
        gateway = gateways.current
        caller = await caller_of(request, gateway)
        name, seen = _seen(last, after)
        tape = await tapes.find(stream_id, caller.tenant, seen)
        if tape is None:
            raise GatewayError(STREAM_NOT_FOUND, f"There is no stream {stream_id[:100]!r} to go on with.")
        if seen > tape.events:
            raise GatewayError(INVALID_REQUEST, f"The stream has only {tape.events} events so far.", param=name)
        listener(StreamResumed(tape.taped.request_id, seen, live=tape.ending is None))
        if tape.ending is TapeEnd.COMPLETE and seen == tape.events:
            return Response(status_code=_COMPLETE)
        return _Replay(tape, seen, gateway.edge.keep_alive_s, lambda: lifecycle.cutting)

    return router


def _seen(header: str | None, parameter: str | None) -> tuple[str, int]:
    """
    Return the name of the field that counts, and the number of events the client has.

    The header takes precedence: a browser updates it when it reconnects.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    name = "after" if header is None else "last-event-id"
    number = (parameter or "0") if header is None else header.strip()
    if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX):
        raise GatewayError(INVALID_REQUEST, f"{name!r} must be the number of the last event.", param=name)
    return name, int(number)


class _Replay(Response):
    """The missed events of a stream, then its live ones; completes or breaks off as the stream does."""

    def __init__(self, tape: Readable, after: int, keep_alive_s: float, cutting: Callable[[], bool]) -> None:
        super().__init__()
        self._tape = tape
        self._after = after
        self._keep_alive_s = keep_alive_s
        self._cutting = cutting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Send the events."""
        sink = AsgiSink(send)
        try:
            with ClientWatch(receive):
                await self._relay(sink)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            if not self._cutting():
                raise
            if sink.begun:
                await sink.part(self._tape.taped.failure(stopping()))

    async def _relay(self, sink: AsgiSink) -> None:
        tape = self._tape
        content = (b"content-type", EVENTS.encode())
        async with aclosing(tape.replay(self._after)) as events:
            await sink.head(200, [content, *STREAM_HEADERS, (STREAM_ID, tape.id.encode())])
            async with KeepAlive(sink, self._keep_alive_s) as keep_alive:
                async for data in events:
                    keep_alive.touch()
                    await sink.part(data)
        if tape.ending is TapeEnd.COMPLETE:
            await sink.end()
            return
        if tape.ending is TapeEnd.LOST:
            message = "The stream has outgrown what is kept of streams, and cannot be resumed."
            await sink.part(tape.taped.failure(GatewayError(STREAM_BROKEN, message)))
        await sink.abort()
