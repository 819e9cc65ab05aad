"""
Assembles the events of a streamed answer into the chat completion that a client would have got without streaming.

An `Assembler` observes a stream at little cost: frames are collected, and added up a few hundred at a time, so that
memory holds the answer and not its frames, which are many times larger. Unknown fields are kept as well as their type
allows. `app/core/answers/replay.py` is the reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

import msgspec

from app.core.answers.pieces import Members, Text, add_up, joined
from app.core.answers.usage_shown import counts
from app.core.call import Reply
from app.core.model import Completion, StreamEvent
from app.core.stream import Batch
from app.core.usage import Usage

_ADDED_UP_AT_BYTES: Final = 65_536  # of frames: some 200 pieces, which take less than a millisecond
_HEAD: Final = ("id", "object", "created", "model")
_CONTENT: Final = b'"content":"'
_PADDING: Final = "obfuscation"  # OpenAI's, against guessing a text from the lengths of its pieces


class Assembler:
    """
    Adds up the events of one stream; register `observe` with `EventStream.observe`.

    Args:
        max_bytes: Approximate size beyond which the answer is given up, and its memory released.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._answer: _Answer | None = _Answer()
        self._template: _Template | None = None
        self._usage: Usage | None = None
        self._done = False

    @property
    def gave_up(self) -> bool:
        """Return whether the answer is too large, or has a form that cannot be added up."""
        return self._answer is None

    def observe(self, batch: Batch) -> None:
        """Add the next events."""
        for event in batch:
            self._take(event)

    def _take(self, event: StreamEvent) -> None:
        if event.done:
            self._done = True
        elif not event.frame:  # hidden from the client, but may have the usage
            self._usage = event.chunk.usage if event.chunk is not None and event.chunk.usage else self._usage
        elif self._answer is not None:
            self._waiting.append(event.frame)
            self._waiting_bytes += len(event.frame)
            if self._waiting_bytes >= _ADDED_UP_AT_BYTES:
                self._add_up(self._answer)

    def completion(self) -> Completion | None:
        """Return the whole answer; None if the stream has not ended properly, or the answer was given up."""
        return self.so_far() if self._done else None

    def so_far(self) -> Completion | None:
        """Return the answer so far; None if there is none yet, or it was given up."""
        if self._answer is not None:
            self._add_up(self._answer)
        return None if self._answer is None else self._answer.completion(self._usage)

    def _add_up(self, answer: _Answer) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        try:
            for frame in waiting:
                if self._template is None or not answer.add_alike(frame, self._template):
                    chunk = msgspec.json.decode(frame.removeprefix(b"data:"), type=Members)
                    answer.add(chunk)
                    self._template = answer.template(frame, chunk)
        except (
            msgspec.DecodeError,
            UnicodeDecodeError,
            AttributeError,
            TypeError,
        ):  # not an object, or a member of the wrong type
            self._answer = None
        if answer.size > self._max_bytes:
            self._answer = None


def whole_of(reply: Reply, max_bytes: int) -> Callable[[], Completion | None]:
    """Return a function that returns the whole answer at the end of the reply; None as in `Assembler.completion`."""
    body = reply.body
    if isinstance(body, Completion):
        return lambda: body
    assembler = Assembler(max_bytes)
    body.observe(assembler.observe)
    return assembler.completion


class _Template(msgspec.Struct, frozen=True):
    """What nearly all frames of a stream share: everything before and after the piece of `text` in their middle."""

    start: bytes
    end: bytes
    text: Text


class _Answer:
    """The sum of the chunks so far; `size` is a lower estimate of its bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._members: Members = {}
        self._choices: dict[int, _Choice] = {}

    def add(self, chunk: Members) -> None:
        members = self._members
        for name, value in chunk.items():
            if name in members and members[name] == value:
                continue  # repeated in every chunk
            if name == "choices":
                for choice in value or ():
                    self.size += self._choice(choice.get("index") or 0).add(choice)
            elif isinstance(value, list):  # outside of choices, a list is repeated, not continued
                members[name] = value or members.get(name, value)
            elif name != _PADDING:
                self.size += add_up(members, name, value)

    def add_alike(self, frame: bytes, template: _Template) -> bool:
        """Add a frame without decoding it, and return True, if it differs from the template only in its text."""
        if not (frame.startswith(template.start) and frame.endswith(template.end)):
            return False
        piece = frame[len(template.start) : len(frame) - len(template.end)]
        if b'"' in piece or b"\\" in piece:
            return False
        template.text.pieces.append(piece.decode())
        self.size += len(piece)
        return True

    def template(self, frame: bytes, chunk: Members) -> _Template | None:
        """Return the template of a frame just added; None if it has more to add than one text."""
        if frame.count(_CONTENT) != 1 or any(_is_many(value) for name, value in chunk.items() if name != "choices"):
            return None
        start, _, rest = frame.partition(_CONTENT)
        piece, quote, end = rest.partition(b'"')
        choice = chunk["choices"][0] if len(chunk.get("choices") or ()) == 1 else {}
        text = self._choice(choice["index"]).text_of(choice) if quote and choice.get("index") is not None else None
        return None if text is None or b"\\" in piece else _Template(start + _CONTENT, b'"' + end, text)

    def completion(self, hidden_usage: Usage | None) -> Completion | None:
        if not self._choices:
            return None
        object_name = self._members.get("object") or "chat.completion"
        rest = self._members | {"object": str(object_name).removesuffix(".chunk")}
        usage = rest.pop("usage", None) or counts(hidden_usage)
        head: Members = {name: rest.pop(name) for name in _HEAD if name in rest}
        choices = [choice.whole() for _, choice in sorted(self._choices.items())]
        body: Members = {**head, **rest, "choices": choices}
        if usage:
            body["usage"] = usage
        reasons = [choice["finish_reason"] for choice in choices]
        raw = msgspec.json.encode(body, enc_hook=joined)
        return Completion(raw, _usage_in(usage), tuple([reason for reason in reasons if isinstance(reason, str)]))

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        return choice


class _Choice:
    """The sum of the pieces of one choice."""

    def __init__(self, index: int) -> None:
        self._members: Members = {"index": index}
        self._message: Members = {"role": "assistant", "content": None}
        self._calls: list[tuple[int, Members]] = []
        self._latest: dict[int, Members] = {}

    def add(self, choice: Members) -> int:
        """Add a piece and return by how much the answer grew, in bytes."""
        grown = 0
        for name, value in choice.items():
            if name == "delta":
                grown += self._add_delta(value or {})
            elif name != "index" and (value is not None or name not in self._members):
                grown += add_up(self._members, name, value)
        return grown

    def whole(self) -> Members:
        """Return the choice in the form of a whole answer."""
        rest = {"finish_reason": None} | self._members
        head = {"index": rest.pop("index")}
        if "text" in rest:  # legacy completions, whose choices have no message
            return head | rest
        if self._calls:
            self._message["tool_calls"] = [call for _, call in sorted(self._calls, key=itemgetter(0))]
        return head | {"message": self._message} | rest

    def text_of(self, piece: Members) -> Text | None:
        """Return the text that a piece has added to; None if the piece has anything else."""
        plain = piece.get("delta", {}).keys() == {"content"} and not piece.get("finish_reason")
        text = self._message["content"]
        return (
            text
            if plain and isinstance(text, Text) and not any(_is_many(piece[name]) for name in piece.keys() - {"delta"})
            else None
        )

    def _add_delta(self, delta: Members) -> int:
        grown = 0
        for name, value in delta.items():
            if name == "tool_calls" and value:
                grown += sum([self._add_call(piece) for piece in value])
            else:
                grown += add_up(self._message, name, value)
        return grown

    def _add_call(self, piece: Members) -> int:
        """Add a piece of a tool call. A piece with another id than the last one of its index begins another call."""
        place, name = piece.get("index") or 0, piece.get("id")
        call = self._latest.get(place)
        if call is None or (name and call.get("id") not in {name, None, ""}):
            call = self._latest[place] = {}
            self._calls.append((place, call))
        return sum([add_up(call, field, value) for field, value in piece.items() if field != "index"])


def _is_many(value: object) -> bool:
    return isinstance(value, dict | list)


def _usage_in(usage: object) -> Usage | None:
    try:
        return msgspec.convert(usage, Usage) if usage else None
    except msgspec.ValidationError:
        return None
