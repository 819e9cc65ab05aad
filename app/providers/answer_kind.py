"""Classifies a provider's answer by its head: stream or whole, and media type. Refuses compression."""

from __future__ import annotations

from typing import Final

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Operation, PlainRequest, Request
from app.core.ports import UpstreamReply
from app.core.stream import EVENTS

_WHOLE: Final = (
    "application/json",
    "text/html",
)  # never the type of a stream; a proxy's error page is not a broken stream


def is_whole(reply: UpstreamReply, asked: Request) -> bool:
    """Return whether a streaming request was answered with a whole document."""
    if may_be_whole(asked):
        return not _are_events(reply)
    return reply.headers.get("content-type", "").lower().startswith(_WHOLE)


def _are_events(reply: UpstreamReply) -> bool:
    return reply.headers.get("content-type", "").lower().startswith("text/event-stream")


def may_be_whole(asked: Request) -> bool:
    """Return whether a provider may answer a streaming request as a whole: not all models stream transcripts."""
    return isinstance(asked, PlainRequest) and asked.operation is Operation.TRANSCRIPTIONS


def media_type_of(reply: UpstreamReply, otherwise: str = "application/json") -> str:
    """Return the media type of an answer, or `otherwise` if the provider sends none that can be passed on."""
    given = reply.headers.get("content-type", "")
    return given if given.isascii() and given.isprintable() and given else otherwise


def streamed_type(reply: UpstreamReply, asked: Request) -> str:
    """Return the media type of a stream: audio as the provider names it, everything else as events."""
    given = media_type_of(reply, "application/octet-stream")
    is_speech = isinstance(asked, PlainRequest) and asked.operation is Operation.SPEECH
    return given if is_speech and not _are_events(reply) else EVENTS


def require_plain(reply: UpstreamReply) -> None:
    """Refuse a compressed answer as BAD_UPSTREAM_REPLY."""
    coding = reply.headers.get("content-encoding")
    if coding is not None and coding.lower() not in {"", "identity"}:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider compressed its answer although it was asked not to.")
