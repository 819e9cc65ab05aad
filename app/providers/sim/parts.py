"""When which bytes of an answer leave: the pace, and the faults in mid-answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

from app.providers.sim.script import Ending, Script
from app.providers.sim.wire import Answer, Frames, completion, script_error

Part: TypeAlias = tuple[float | None, bytes]  # seconds to wait (None: not even a turn of the loop), then bytes

_EVENTS_PER_PART = 64  # a long answer without a pace lets the loop take a turn this often


def first_byte_s(script: Script, answer: Answer, *, stream: bool) -> float:
    """Return when the body begins, counted from the request: at the first token, or for a whole answer at the last."""
    if stream or script.tokens_per_s is None:
        return script.first_token_s
    words = len(answer.words) + len(answer.reasoning)
    return script.first_token_s + max(0, words - 1) / script.tokens_per_s


def whole_parts(script: Script, answer: Answer, wait_s: float) -> Iterator[Part]:
    """Yield a whole answer, `wait_s` after its head; a fault in mid-answer leaves half of it."""
    ending, _ = script.ending
    body = script_error() if ending is Ending.ERROR else completion(answer)
    whole = ending is Ending.WHOLE or ending is Ending.ERROR
    yield wait_s or None, body if whole else body[: len(body) // 2]


def stream_parts(script: Script, answer: Answer, wait_s: float) -> Iterator[Part]:
    """Yield a streamed answer, its content `wait_s` after its head and role, up to its fault if it has one."""
    ending, after = script.ending
    frames = Frames(answer)
    yield None, frames.opening()
    content = islice(frames.content(), after)
    step, gap_s = (_EVENTS_PER_PART, 0.0) if script.tokens_per_s is None else (1, 1 / script.tokens_per_s)
    pause_s = wait_s or None
    while events := b"".join(islice(content, step)):
        yield pause_s, events
        pause_s = gap_s
    if ending is Ending.WHOLE:
        yield None, frames.closing()
    elif ending is Ending.ERROR:
        yield None, b"data: %b\n\n" % script_error()
