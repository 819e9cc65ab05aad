"""
The events of every call: its start, its stream, its end.

Their fields are structs, which msgspec encodes in one step and without empty fields (`rendering.plain_line`).
"""

from __future__ import annotations

import logging

import msgspec

from app.core.errors import CLIENT_CLOSED, INTERNAL
from app.core.outcome import End
from app.core.signals import CallEnded, CallStarted, StreamStarted
from app.telemetry.event_spec import Event, ms

_COMPLETED, _FAILED, _ABANDONED = End.COMPLETED.word, End.FAILED.word, End.ABANDONED.word


class _StreamStarted(msgspec.Struct, frozen=True, omit_defaults=True):
    request_id: str
    provider: str = ""
    target_model: str = ""
    ttft_ms: float | None = None


class _StreamCompleted(msgspec.Struct, frozen=True, omit_defaults=True):
    request_id: str
    provider: str = ""
    target_model: str = ""
    duration_ms: float | None = None
    ttft_ms: float | None = None
    tokens_per_s: float | None = None
    longest_gap_ms: float | None = None
    completion_tokens: int | None = None


class _Ended(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    request_id: str
    endpoint: str
    model: str = ""
    provider: str = ""
    target_model: str = ""
    stream: bool
    status: int
    code: str = ""
    kind: str = ""
    attempts: int
    fallback_position: int
    duration_ms: float | None
    ttft_ms: float | None = None
    overhead_ms: float | None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cache: str | None = None
    trace_id: str = ""
    cost_usd: float | None = None
    drained: str | None = None


def started(signal: CallStarted) -> list[Event]:
    """Return the event of a call's start; its fields are the signal itself."""
    return [("request_started", signal)]


def stream_started(signal: StreamStarted) -> list[Event]:
    """Return the event of a stream's first chunk."""
    ttft_ms = ms(signal.first_token_s)
    return [("stream_started", _StreamStarted(signal.request_id, signal.provider, signal.model, ttft_ms))]


def ended_level(signal: CallEnded) -> int:
    """Return the level of a call's end: ERROR for a bug, WARNING for any other failure, else INFO."""
    if signal.outcome != _FAILED:
        return logging.INFO
    return logging.ERROR if signal.status == INTERNAL.status else logging.WARNING


def ended(signal: CallEnded) -> list[Event]:
    """Return the events of a call's end; a completed stream has a second one with its speed."""
    left = signal.outcome == _ABANDONED
    usage = signal.usage
    fields = _Ended(
        request_id=signal.request_id,
        endpoint=signal.endpoint,
        model=signal.model,
        provider=signal.provider,
        target_model=signal.target_model,
        stream=signal.stream,
        status=CLIENT_CLOSED.status if left else signal.status,
        code=CLIENT_CLOSED.code if left else signal.code,
        kind=CLIENT_CLOSED.category if left else signal.category,
        attempts=signal.attempts,
        fallback_position=signal.position,
        duration_ms=ms(signal.duration_s),
        ttft_ms=ms(signal.first_token_s),
        overhead_ms=ms(signal.overhead_s),
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
        total_tokens=None if usage is None else usage.total_tokens,
        cache=signal.cache,
        trace_id=signal.trace_id,
        cost_usd=None if signal.cost_usd is None else round(signal.cost_usd, 9),
        drained=signal.drained,
    )
    if signal.outcome != _COMPLETED:
        return [("request_failed", fields)]
    if signal.first_token_s is None:
        return [("request_completed", fields)]
    return [("request_completed", fields), ("stream_completed", _stream_completed(signal))]


def _stream_completed(signal: CallEnded) -> _StreamCompleted:
    return _StreamCompleted(
        request_id=signal.request_id,
        provider=signal.provider,
        target_model=signal.target_model,
        duration_ms=ms(signal.duration_s),
        ttft_ms=ms(signal.first_token_s),
        tokens_per_s=None if signal.tokens_per_s is None else round(signal.tokens_per_s, 1),
        longest_gap_ms=ms(signal.longest_gap_s),
        completion_tokens=None if signal.usage is None else signal.usage.completion_tokens,
    )
