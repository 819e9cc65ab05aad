"""
Who sees the usage of a stream that several clients share: those that asked for it, and nobody else.

A provider is asked for it in any case, and an event that nobody asked for has an empty frame
(`app/providers/openai/stream_usage.py`); observers see all of them.
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
    """Return events of which those that only report the usage have an empty frame."""
    if not any(map(_is_shown, batch)):
        return batch
    return [msgspec.structs.replace(event, frame=b"") if _is_shown(event) else event for event in batch]


class UsageShown:
    """Gives events that only report the usage the frame which they would have, had their client asked for it."""

    def __init__(self) -> None:
        self._last = b""

    def __call__(self, batch: Batch) -> Batch:
        """Return the events of one batch; for `EventStream.transform`."""
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
    """Return what all events of a stream have in common (its id, model and so on), by one of them."""
    try:
        said = msgspec.json.decode(frame.removeprefix(b"data:"), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {name: said[name] for name in HEAD if name in said}


def counts(usage: Usage | None) -> dict[str, Any]:
    """Return a usage as OpenAI writes it, without what is not known."""
    return {} if usage is None else given_in(msgspec.structs.asdict(usage))


def _only_reports(event: StreamEvent) -> bool:
    chunk = event.chunk
    return chunk is not None and chunk.usage is not None and not chunk.choices and event.native is None


def _is_shown(event: StreamEvent) -> bool:
    return bool(event.frame) and _only_reports(event)


def _is_hidden(event: StreamEvent) -> bool:
    return not event.frame and _only_reports(event)
