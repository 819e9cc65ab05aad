"""
What redaction and guards cost: `python -m loadtests.redaction`, CPU µs on this machine.

Of the code that looks and replaces, without server, sockets and the rest of the pipeline; each figure is the best of
several rounds, as everything else on the machine only adds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import msgspec

from app.assembly.detectors import DetectorKit
from app.config.features.redaction import DEFAULT_DETECTORS, Redaction
from app.core.guards.guard import Passage
from app.core.guards.injection import Injection
from app.core.model import Chunk, StreamEvent, Weight
from app.core.redaction.answers import AnswerFormat, RewriteEvents
from app.core.redaction.body import CHAT
from app.core.redaction.editing import Plain, Rewriter
from app.core.redaction.hold_back import Cut
from app.core.redaction.placeholders import Restore, Vault
from app.core.redaction.redactor import Action, Redactor
from app.core.stream import Batch

_ROUNDS, _ROUND_S = 7, 0.1
_KILOBYTE = 1024
_CLEAN = (
    "You are given a report. Summarise it in three short paragraphs: what happened, why, and what has to be done next. "
    "The quarterly review found that 3 of 12 services missed their goal of 99.9 percent, mostly because of slow disks. "
)
_FOUND = "Write to anna@example.com or call +1 (555) 123-4567 about card 4111 1111 1111 1111. "


def cpu_us(step: Callable[[], object]) -> float:
    """Return the CPU µs that one `step` takes."""
    times, best = 1, float("inf")
    for _ in range(_ROUNDS):
        spent_s = 0.0
        while spent_s < _ROUND_S:
            began_s = time.process_time()
            for _ in range(times):
                step()
            spent_s = time.process_time() - began_s
            best = min(best, spent_s / times * 1e6) if spent_s >= _ROUND_S / 2 else best
            times = times * 2 if spent_s < _ROUND_S else times
    return best


def body(text: str, size: int) -> bytes:
    """Return a chat request with a message of so many characters."""
    content = (text * (size // len(text) + 1))[:size]
    return msgspec.json.encode({"model": "fast", "messages": [{"role": "user", "content": content}], "max_tokens": 256})


def events() -> list[Batch]:
    """Return a stream of a hundred events of four characters."""
    words = (_CLEAN * 2)[:400]
    frames = [
        msgspec.json.encode({"id": "c", "choices": [{"index": 0, "delta": {"content": words[at : at + 4]}}]})
        for at in range(0, len(words), 4)
    ]
    return [
        [StreamEvent(b"data: %b\n\n" % frame, msgspec.json.decode(frame, type=Chunk), Weight.ANSWER)]
        for frame in frames
    ]


def main() -> None:
    """Measure and print."""
    kit = DetectorKit(Redaction())
    inspector = kit.inspector(DEFAULT_DETECTORS)
    redactor = Redactor(inspector, dict.fromkeys(DEFAULT_DETECTORS, Action.TOKENIZE), b"key")
    guard, passage = Injection(kit.patterns, 0.5, 0.5), Passage("user", (_CLEAN * 9)[:_KILOBYTE], "x")
    stream, vault = events(), Vault()
    vault.put("email", "anna@example.com")

    def restore(_json: bool) -> Rewriter:  # noqa: FBT001 - as `MakeRewriter` has it
        return Plain(Restore(vault))

    def look(_json: bool) -> Rewriter:  # noqa: FBT001
        return Plain(Cut(inspector, lambda _detector, _value: "[X]", 128))

    def played(transform: RewriteEvents) -> None:
        for batch in stream:
            transform(batch)

    small, large = body(_CLEAN, _KILOBYTE), body(_CLEAN, 64 * _KILOBYTE)
    hot = body(_CLEAN[:200] + _FOUND + _CLEAN, _KILOBYTE)
    figures = {
        "clean prompt of 1 KB": cpu_us(lambda: redactor.redact(small, CHAT)),
        "clean prompt of 64 KB, for each KB": cpu_us(lambda: redactor.redact(large, CHAT)) / 64,
        "prompt of 1 KB with six finds": cpu_us(lambda: redactor.redact(hot, CHAT)),
        "event of a stream, nothing to restore in it": cpu_us(
            lambda: played(RewriteEvents(restore, AnswerFormat(chat=True), "[\\"))
        )
        / len(stream),
        "event of a stream that is redacted": cpu_us(lambda: played(RewriteEvents(look, AnswerFormat(chat=True))))
        / len(stream),
        "injection guard, text of 1 KB": cpu_us(lambda: guard.score(passage)),
    }
    sys.stdout.write("".join(f"{figure:8.2f} µs  {name}\n" for name, figure in figures.items()))


if __name__ == "__main__":
    main()
