"""
From a streamed answer to the whole one: what the events add up to, as the chat completion a client could have got.

An `Assembler` observes a stream and costs it next to nothing: frames are only kept, and added up a few hundred at a
time, so that what is held is the answer and not the many times larger form in which it was streamed. Fields nobody
here has heard of are kept as well as their form allows. `app/core/answers/replay.py` goes the other way.
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
_PADDING: Final = "obfuscation"  # OpenAI's, so that nobody guesses a text from the lengths of its pieces


class Assembler:
    """
    Adds up the events of one stream; `observe` belongs into `EventStream.observe`.

    Args:
        max_bytes: How large the answer may become, about; beyond, it is given up and nothing is held any more.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._answer: _Answer | None = _Answer()
        self._mould: _Mould | None = None
        self._usage: Usage | None = None
        self._done = False

    @property
    def gave_up(self) -> bool:
        """Say whether the answer is too large, or has a form that cannot be added up."""
        return self._answer is None

    def observe(self, batch: Batch) -> None:
        """Take the next events."""
        for event in batch:
            self._take(event)

    def _take(self, event: StreamEvent) -> None:
        if event.done:
            self._done = True
        elif not event.frame:  # of what the client is not told, the usage counts
            self._usage = event.chunk.usage if event.chunk is not None and event.chunk.usage else self._usage
        elif self._answer is not None:
            self._waiting.append(event.frame)
            self._waiting_bytes += len(event.frame)
            if self._waiting_bytes >= _ADDED_UP_AT_BYTES:
                self._add_up(self._answer)

    def completion(self) -> Completion | None:
        """Return the whole answer; None if the stream has not come to its proper end, or the answer was given up."""
        return self.so_far() if self._done else None

    def so_far(self) -> Completion | None:
        """Return what the events until now add up to; None if that is nothing, or the answer was given up."""
        if self._answer is not None:
            self._add_up(self._answer)
        return None if self._answer is None else self._answer.completion(self._usage)

    def _add_up(self, answer: _Answer) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        try:
            for frame in waiting:
                if self._mould is None or not answer.poured(frame, self._mould):
                    chunk = msgspec.json.decode(frame.removeprefix(b"data:"), type=Members)
                    answer.add(chunk)
                    self._mould = answer.mould(frame, chunk)
        except (
            msgspec.DecodeError,
            UnicodeDecodeError,
            AttributeError,
            TypeError,
        ):  # no object, or no list where one is
            self._answer = None
        if answer.size > self._max_bytes:
            self._answer = None


def whole_of(reply: Reply, max_bytes: int) -> Callable[[], Completion | None]:
    """Return what returns the whole of an answer once it is complete; None as `Assembler.completion` does."""
    body = reply.body
    if isinstance(body, Completion):
        return lambda: body
    assembler = Assembler(max_bytes)
    body.observe(assembler.observe)
    return assembler.completion


class _Mould(msgspec.Struct, frozen=True):
    """What nearly all frames of a stream have in common: everything but the piece of `text` in their middle."""

    start: bytes
    end: bytes
    text: Text


class _Answer:
    """The sum of the chunks so far; `size` counts its bytes, from below and about."""

    def __init__(self) -> None:
        self.size = 0
        self._members: Members = {}
        self._choices: dict[int, _Choice] = {}

    def add(self, chunk: Members) -> None:
        members = self._members
        for name, value in chunk.items():
            if name in members and members[name] == value:
                continue  # nearly everything around a choice
            if name == "choices":
                for choice in value or ():
                    self.size += self._choice(choice.get("index") or 0).add(choice)
            elif isinstance(value, list):  # what is said of the whole answer is said again, not continued
                members[name] = value or members.get(name, value)
            elif name != _PADDING:
                self.size += add_up(members, name, value)

    def poured(self, frame: bytes, mould: _Mould) -> bool:
        """Add a frame if it has the form of the one before and says nothing else than a further piece of its text."""
        if not (frame.startswith(mould.start) and frame.endswith(mould.end)):
            return False
        piece = frame[len(mould.start) : len(frame) - len(mould.end)]
        if b'"' in piece or b"\\" in piece:
            return False
        mould.text.pieces.append(piece.decode())
        self.size += len(piece)
        return True

    def mould(self, frame: bytes, chunk: Members) -> _Mould | None:
        """Return the form of a frame that has just been added, if adding one like it means to add its text alone."""
        if frame.count(_CONTENT) != 1 or any(_is_many(value) for name, value in chunk.items() if name != "choices"):
            return None
        start, _, rest = frame.partition(_CONTENT)
        piece, quote, end = rest.partition(b'"')
        choice = chunk["choices"][0] if len(chunk.get("choices") or ()) == 1 else {}
        text = self._choice(choice["index"]).text_of(choice) if quote and choice.get("index") is not None else None
        return None if text is None or b"\\" in piece else _Mould(start + _CONTENT, b'"' + end, text)

    def completion(self, untold: Usage | None) -> Completion | None:
        if not self._choices:
            return None
        named = self._members.get("object") or "chat.completion"
        rest = self._members | {"object": str(named).removesuffix(".chunk")}
        usage = rest.pop("usage", None) or counts(untold)
        head: Members = {name: rest.pop(name) for name in _HEAD if name in rest}
        choices = [choice.whole() for _, choice in sorted(self._choices.items())]
        body: Members = {**head, **rest, "choices": choices}
        if usage:
            body["usage"] = usage
        reasons = [choice["finish_reason"] for choice in choices]
        raw = msgspec.json.encode(body, enc_hook=joined)
        return Completion(raw, _counted(usage), tuple([reason for reason in reasons if isinstance(reason, str)]))

    def _choice(self, index: int) -> _Choice:
        found = self._choices.get(index)
        if found is None:
            found = self._choices[index] = _Choice(index)
        return found


class _Choice:
    """The sum of one choice's pieces."""

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
        """Return the choice as a whole answer has it."""
        rest = {"finish_reason": None} | self._members
        head = {"index": rest.pop("index")}
        if "text" in rest:  # of the older completions, whose choices have no message
            return head | rest
        if self._calls:
            self._message["tool_calls"] = [call for _, call in sorted(self._calls, key=itemgetter(0))]
        return head | {"message": self._message} | rest

    def text_of(self, piece: Members) -> Text | None:
        """Return the text that a piece has added to, if it has done nothing else that counts."""
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
        """Add a piece of a tool call. One with another id than the last of its index is another call."""
        place, name = piece.get("index") or 0, piece.get("id")
        call = self._latest.get(place)
        if call is None or (name and call.get("id") not in {name, None, ""}):
            call = self._latest[place] = {}
            self._calls.append((place, call))
        return sum([add_up(call, field, value) for field, value in piece.items() if field != "index"])


def _is_many(value: object) -> bool:
    return isinstance(value, dict | list)


def _counted(usage: object) -> Usage | None:
    try:
        return msgspec.convert(usage, Usage) if usage else None
    except msgspec.ValidationError:
        return None
