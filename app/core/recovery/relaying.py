"""Relays an answer in two parts: records what the client saw of the first, and gives the second the same form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.core.answers.usage_shown import counts, head_of
from app.core.call import Recovered
from app.core.dialects.absent import is_given
from app.core.model import Chunk, ChunkChoice, Delta, StreamEvent, Weight
from app.core.recovery.splicing import Splice
from app.core.stream import Batch, without_native
from app.core.usage import Usage

MARK: Final = "wizard"  # the member of the finishing event that reports the recovery
_CHARS_PER_TOKEN: Final = 4


class Shown:
    """What a client has seen of an answer, as far as needed to continue it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._first = b""
        self._is_plain = True
        self._usage: Usage | None = None
        self._chars_before = 0  # of attempts that are in `_spent`
        self._spent: Usage | None = None

    @property
    def text(self) -> str:
        """Return the text so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return "".join(self._pieces)

    @property
    def can_go_on(self) -> bool:
        """Return whether there is text and nothing else: no reasoning, tools, finish reason or unknown events."""
        return self._is_plain and any(self._pieces)

    def see(self, batch: Batch) -> Batch:
        """Record events, and return them without their providers' native form, which would not fit a continuation."""
        for event in batch:
            self._see(event)
        return [without_native(event) for event in batch]

    def settle(self, prompt: int) -> None:
        """Add the usage of a broken attempt: as reported, or estimated, with `prompt` tokens for its prompt."""
        chars = len(self.text)
        answer = -(-(chars - self._chars_before) // _CHARS_PER_TOKEN)
        used = self._usage or Usage(prompt, answer, prompt + answer)
        self._spent, self._usage, self._chars_before = added(self._spent, used), None, chars

    def in_total(self, usage: Usage) -> Usage:
        """Return the usage of all attempts together, given that of the last."""
        self._usage = usage
        return added(self._spent, usage)

    def head(self) -> dict[str, Any]:
        """Return the fields that all events of the stream share: id, model and so on."""
        return head_of(self._first) or {"object": "chat.completion.chunk"}

    def _see(self, event: StreamEvent) -> None:
        chunk = event.chunk
        if chunk is None:
            self._is_plain &= not event.frame and not event.done
            return
        self._first = self._first or event.frame
        if chunk.usage is not None and self._spent is None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            self._is_plain &= is_plain(choice) and not choice.finish_reason
            if isinstance(choice.delta.content, str) and choice.delta.content:
                self._pieces.append(choice.delta.content)


class Relay:
    """
    Gives the events of a continuation the form of the stream that it continues.

    Text, finish reason and usage are kept; role, reasoning and unknown fields are dropped. The finishing event reports
    the recovery.
    """

    def __init__(self, splice: Splice, shown: Shown, seams: Sequence[Recovered]) -> None:
        self._splice = splice
        self._shown = shown
        self._seams = [seam.shown() for seam in seams]
        self._head = shown.head()

    def __call__(self, batch: Batch) -> Batch:
        """Return the events of one batch as the client gets them; may be none."""
        return [relayed for event in batch for relayed in self._relayed(event)]

    def _relayed(self, event: StreamEvent) -> list[StreamEvent]:
        if event.done:
            return [event]
        chunk = event.chunk
        if chunk is None:
            return []
        usage = None if chunk.usage is None else self._shown.in_total(chunk.usage)
        choice = next((choice for choice in chunk.choices if choice.index == 0), None)
        piece = None if choice is None else self._piece(choice)
        if piece is None:
            return [] if usage is None else [self._event(None, usage, is_shown=bool(event.frame))]
        return [self._event(piece, usage, is_shown=True)]

    def _piece(self, choice: ChunkChoice) -> ChunkChoice | None:
        """Return the part of a choice that the client has not seen; None if there is none."""
        text = choice.delta.content if isinstance(choice.delta.content, str) else ""
        new = self._splice.feed(text) if text else ""
        if choice.finish_reason:
            new += self._splice.end()
        if not new and not choice.finish_reason:
            return None
        delta = Delta(content=new) if new else Delta()
        return ChunkChoice(0, delta, choice.finish_reason, stop_reason=choice.stop_reason)

    def _event(self, piece: ChunkChoice | None, usage: Usage | None, *, is_shown: bool) -> StreamEvent:
        chunk = Chunk([] if piece is None else [piece], usage)
        weight = Weight.NOTHING if piece is None else Weight.ANSWER
        if not is_shown:
            return StreamEvent(b"", chunk, weight)
        body: dict[str, Any] = {**self._head, "choices": [] if piece is None else [_written(piece)]}
        if usage is not None:
            body["usage"] = counts(usage)
        if piece is not None and piece.finish_reason:
            body[MARK] = {"recovered": self._seams}
        return StreamEvent(b"data: %b\n\n" % msgspec.json.encode(body), chunk, weight)


def is_plain(choice: ChunkChoice) -> bool:
    """Return whether a piece of a choice contains nothing but text."""
    delta = choice.delta
    others = (delta.refusal, delta.reasoning_content, delta.reasoning, delta.tool_calls, delta.function_call)
    raw = (delta.reasoning_details, delta.extra_content, delta.annotations, choice.logprobs)
    return (
        choice.index == 0
        and not any(others)
        and not isinstance(delta.content, list)
        and all(bytes(each) in {b"", b"null", b"[]"} for each in raw)
    )


def added(first: Usage | None, second: Usage) -> Usage:
    """Return the sum of two usages; details are those of the second."""
    if first is None:
        return second
    return msgspec.structs.replace(
        second,
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        total_tokens=_total(first) + _total(second),
    )


def _total(usage: Usage) -> int:
    return usage.total_tokens or usage.prompt_tokens + usage.completion_tokens


def _written(piece: ChunkChoice) -> dict[str, Any]:
    written: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": piece.finish_reason}
    if piece.delta.content:
        written["delta"] = {"content": piece.delta.content}
    if is_given(piece.stop_reason):
        written["stop_reason"] = piece.stop_reason
    return written
