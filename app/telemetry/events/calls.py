"""The log of calls: start, stream, end, and requests that were refused before they became one."""

from __future__ import annotations

import logging
from typing import Final

from app.core.call import End
from app.core.errors import CLIENT_CLOSED, INTERNAL
from app.core.signals import (
    CallEnded,
    CallRefused,
    CallStarted,
    ClientLeft,
    InternalFault,
    StreamResumed,
    StreamStarted,
    StreamTrimmed,
)
from app.telemetry.events.part import Event, ms, told
from app.telemetry.rendering import Fields

_COMPLETED, _FAILED, _ABANDONED = (end.value for end in (End.COMPLETED, End.FAILED, End.ABANDONED))  # quick to read


def _started(signal: CallStarted) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "model": signal.model,
        "stream": signal.stream,
    }
    return [("request_started", fields)]


def _stream_started(signal: StreamStarted) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.model,
        "ttft_ms": ms(signal.first_token_s),
    }
    return [("stream_started", fields)]


def _refused(signal: CallRefused) -> list[Event]:
    fields: Fields = {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "status": signal.status,
        "code": signal.code,
    }
    return [("request_failed", fields)]


def _fault(signal: InternalFault) -> list[Event]:
    return [
        ("internal_fault", {"request_id": signal.request_id, "error": signal.error, "trace": signal.trace}),
    ]


def _ended_level(signal: CallEnded) -> int:
    if signal.outcome != _FAILED:
        return logging.INFO
    return logging.ERROR if signal.status == INTERNAL.status else logging.WARNING


def _ended(signal: CallEnded) -> list[Event]:
    left = signal.outcome == _ABANDONED
    usage = signal.usage
    fields: Fields = {
        "request_id": signal.request_id,
        "endpoint": signal.endpoint,
        "model": signal.model,
        "provider": signal.provider,
        "target_model": signal.target_model,
        "stream": signal.stream,
        "status": CLIENT_CLOSED.status if left else signal.status,
        "code": CLIENT_CLOSED.code if left else signal.code,
        "kind": CLIENT_CLOSED.category if left else signal.category,
        "attempts": signal.attempts,
        "fallback_position": signal.position,
        "duration_ms": ms(signal.duration_s),
        "ttft_ms": ms(signal.first_token_s),
        "overhead_ms": ms(signal.overhead_s),
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "total_tokens": usage and usage.total_tokens,
        "cache": signal.cache,
        "trace_id": signal.trace_id,
        "cost_usd": None if signal.cost_usd is None else round(signal.cost_usd, 9),
    }
    if signal.drained is not None:
        fields["drained"] = signal.drained
    if signal.outcome != _COMPLETED:
        return [("request_failed", fields)]
    ended = [("request_completed", fields)]
    if signal.first_token_s is not None:
        ended.append(("stream_completed", _stream_completed(signal)))
    return ended


def _stream_completed(signal: CallEnded) -> Fields:
    return {
        "request_id": signal.request_id,
        "provider": signal.provider,
        "target_model": signal.target_model,
        "duration_ms": ms(signal.duration_s),
        "ttft_ms": ms(signal.first_token_s),
        "tokens_per_s": None if signal.tokens_per_s is None else round(signal.tokens_per_s, 1),
        "completion_tokens": signal.usage and signal.usage.completion_tokens,
    }


def _trimmed(signal: StreamTrimmed) -> list[Event]:
    return [("stream_trimmed", {"request_id": signal.request_id, "events": signal.events})]


def _left(signal: ClientLeft) -> list[Event]:
    return [("client_left", {"request_id": signal.request_id, "drained": signal.drained})]


def _resumed(signal: StreamResumed) -> list[Event]:
    return [("stream_resumed", {"request_id": signal.request_id, "events": signal.events, "live": signal.live})]


CALLS: Final = (
    told(StreamResumed, logging.INFO, _resumed),
    told(ClientLeft, logging.INFO, _left),
    told(StreamTrimmed, logging.WARNING, _trimmed),
    told(CallStarted, logging.INFO, _started),
    told(StreamStarted, logging.INFO, _stream_started),
    told(CallEnded, _ended_level, _ended),
    told(CallRefused, logging.INFO, _refused),
    told(InternalFault, logging.ERROR, _fault),
)
