"""
Shows the usage of a stream that several clients share only to those that asked for it.

Providers are always asked for it. A usage event that the client did not ask for has an empty frame
(`app/providers/openai/stream_usage.py`); observers see it all the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.core.answers.replay import HEAD
from app.core.dialects.absent import given_in
from app.core.model import StreamEvent
from app.core.stream import Batch
from app.core.usage import Usage


def usage_hidden(batch: Batch) -> Batch:
    """Return the events with empty frames for those that only report the usage."""
    if not any(map(_is_shown, batch)):
        return batch
    return [msgspec.structs.replace(event, frame=b"") if _is_shown(event) else event for event in batch]


class UsageShown:
    """Restores the frames of events that only report the usage."""

    def __init__(self) -> None:
        self._last = b""

    def __call__(self, batch: Batch) -> Batch:
        """Return the events of a batch with their frames; for `EventStream.transform`."""
        if any(map(_is_hidden, batch)):
            batch = [self._shown(event) for event in batch]
        elif batch:
            self._last = batch[-1].frame or self._last
        return batch

    def _shown(self, event: StreamEvent) -> StreamEvent:
        if not _is_hidden(event):
            self._last = event.frame or self._last
            return event
        body = {**head_of(self._last), "choices": [], "usage": counts(event.chunk.usage if event.chunk else None)}
        return msgspec.structs.replace(event, frame=b"data: %b\n\n" % msgspec.json.encode(body))


def head_of(frame: bytes) -> dict[str, Any]:
    """Return the fields that all events of a stream share (id, model and so on), from the frame of one."""
    try:
        payload = msgspec.json.decode(frame.removeprefix(b"data:"), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {name: payload[name] for name in HEAD if name in payload}


def counts(usage: Usage | None) -> dict[str, Any]:
    """Return a usage in OpenAI's form, without unknown fields."""
    return {} if usage is None else given_in(msgspec.structs.asdict(usage))


def _only_reports(event: StreamEvent) -> bool:
    chunk = event.chunk
    return chunk is not None and chunk.usage is not None and not chunk.choices and event.native is None


def _is_shown(event: StreamEvent) -> bool:
    return bool(event.frame) and _only_reports(event)


def _is_hidden(event: StreamEvent) -> bool:
    return not event.frame and _only_reports(event)
