"""
Look for finds in a text that comes in pieces, and let go of it as soon as nothing more can be found there.

The text is cut where no find can reach across: at white space, unless what stands there may be one thing in groups (a
telephone number, an account). A piece is looked at alone, with a little of what came before it. Where the cuts are is
decided by the text and by nothing else, so what is found does not depend on how the text arrived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from app.core.redaction.detectors.secrets import PEM_BEGIN, PEM_END, PEM_MOST_CHARS
from app.core.redaction.editing import Edit
from app.core.redaction.finding import Finding
from app.core.redaction.inspector import Inspector

CONTEXT_CHARS: Final = 96  # how far detectors look back for words that give a value its meaning
_BLOCKS_CHARS: Final = (1024, 192)  # what is looked at in one go, and more closely where there is something
_END_LINE_CHARS: Final = 80  # the last line of a private key is shorter

_BEFORE_WORD: Final = re.compile(r"\s(?=\S)")
_GROUP_BEGINS: Final = frozenset("0123456789(+")
_LOOK_BACK_CHARS: Final = 48
_GAP_MAX_CHARS: Final = 2
_DIGIT: Final = re.compile(r"\d")
_SHORT_CHARS, _CAPITALS_CHARS = 2, 4  # what may stand between groups with digits: "of", a bank in an account's number
_TOKEN: Final = re.compile(r"[\w.+/=~%:@-]+")
_KEY_LINES: Final = re.compile(r"[A-Za-z0-9+/=\s\\:,-]+")

Replace: TypeAlias = Callable[
    [str, str], str | None
]  # detector and value, to what stands there instead; None leaves it


class Cut:
    """
    An editor that replaces finds.

    Args:
        inspector: Finds.

        replace: Says what a find becomes; may raise to end the text.

        window_chars: The most that is held back. What is longer without a cut is looked at in parts, which overlap by
            half of that.
    """

    def __init__(self, inspector: Inspector, replace: Replace, window_chars: int) -> None:
        self._inspector = inspector
        self._replace = replace
        self._window = max(2, window_chars)
        self._at_words = inspector.has_triggers_only  # a configured pattern may reach across anything
        self._text = ""  # some context, and then what is undecided
        self._at = 0  # where that begins
        self._hot_until = 0  # up to here a closer look has been taken: there is something
        self._open: re.Pattern[str] | None = None  # the last find may go on
        self._open_left = 0

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece; see `Editor`."""
        self._text += text
        return self._decided(final=False)

    def end(self) -> list[Edit]:
        """Decide about the rest; see `Editor`."""
        return self._decided(final=True)

    def _decided(self, *, final: bool) -> list[Edit]:
        edits: list[Edit] = []
        while self._at < len(self._text):
            step = self._go_on(final=final) if self._open is not None else self._calm() or self._step(final=final)
            if not step:
                break
            edits += step
            self._at += sum(length for length, _ in step)
        start = max(0, self._at - CONTEXT_CHARS)
        self._text, self._at, self._hot_until = self._text[start:], self._at - start, max(0, self._hot_until - start)
        return edits

    def _calm(self) -> list[Edit]:
        """Let a stretch go in which no detector can find anything, wherever it would be cut."""
        if not self._at_words or self._at < self._hot_until:
            return []
        border = None
        for block_chars in _BLOCKS_CHARS:
            border = self._last_border(min(len(self._text), self._at + block_chars))
            if border is None:
                return []
            if self._inspector.is_calm(self._text[max(0, self._at - CONTEXT_CHARS) : border]):
                return [(border - self._at, None)]
        self._hot_until = border or self._at
        return []

    def _step(self, *, final: bool) -> list[Edit]:
        """Decide about the next piece; nothing if it is not known where that ends."""
        border = self._first_border(self._at + self._window)
        if border is not None:
            return self._edits(border, self._findings(border))
        if len(self._text) - self._at > self._window:
            return self._part()
        return self._edits(len(self._text), self._findings(len(self._text))) if final else []

    def _part(self) -> list[Edit]:
        """Decide about half of what is in the window, or as much as a find there needs."""
        findings = self._findings(self._at + self._window)
        end = self._at + self._window // 2
        for finding in findings:
            if finding.start < end < finding.end:
                end = finding.start if finding.start > self._at else finding.end
        return self._edits(end, [finding for finding in findings if finding.end <= end])

    def _findings(self, end: int) -> Sequence[Finding]:
        """Return what is between here and `end`; what began before that is not known any more, so its rest counts."""
        start = max(0, self._at - CONTEXT_CHARS)
        return [
            Finding(max(start + finding.start, self._at), start + finding.end, finding.detector)
            for finding in self._inspector.find(self._text[start:end])
            if start + finding.end > self._at
        ]

    def _edits(self, end: int, findings: Sequence[Finding]) -> list[Edit]:
        edits: list[Edit] = []
        position = self._at
        for finding in findings:
            value = self._text[finding.start : finding.end]
            replacement = self._replace(finding.detector, value)
            edits += [(finding.start - position, None), (finding.end - finding.start, replacement)]
            position = finding.end
            if replacement is not None and position == end:
                self._leave_open(value, end)
        edits.append((end - position, None))
        return edits

    def _leave_open(self, value: str, end: int) -> None:
        """Note that a find may go on behind `end`: a private key does, and so does what the window has cut off."""
        if value.startswith(PEM_BEGIN) and not PEM_END.search(value):
            self._open, self._open_left = _KEY_LINES, PEM_MOST_CHARS
        elif not value[-1:].isspace() and end - self._at > self._window // 2:
            self._open, self._open_left = _TOKEN, PEM_MOST_CHARS

    def _go_on(self, *, final: bool) -> list[Edit]:
        """Swallow what still belongs to the last find."""
        shape = self._open or _TOKEN
        most = min(len(self._text), self._at + self._open_left)
        found = shape.match(self._text, self._at, most)
        stop = self._at if found is None else found.end()
        closed = PEM_END.search(self._text, self._at, stop) if shape is _KEY_LINES else None
        undecided = stop == len(self._text) and self._open_left > stop - self._at and not final
        if closed is not None:
            stop = closed.end()
        elif undecided and shape is _KEY_LINES:
            stop = max(self._at, stop - _END_LINE_CHARS)
        if closed is not None or not undecided:
            self._open = None
        self._open_left -= stop - self._at
        return [(stop - self._at, "")] if stop > self._at or self._open is None else []

    def _first_border(self, limit: int) -> int | None:
        """Return the first place behind this one, up to `limit`, where nothing can reach across."""
        if not self._at_words:
            return None
        for found in _BEFORE_WORD.finditer(self._text, self._at, limit + 1):  # and never through all of a long word
            if found.end() > self._at and self._is_border(found.end()):
                return found.end()
        return None

    def _last_border(self, limit: int) -> int | None:
        """Return the last such place."""
        for place in range(limit - 1, self._at, -1):
            if self._text[place - 1].isspace() and not self._text[place].isspace() and self._is_border(place):
                return place
        return None

    def _is_border(self, place: int) -> bool:
        before = self._text[max(0, place - _LOOK_BACK_CHARS) : place]
        words = before.rstrip()
        gap = before[len(words) :]
        if "\n" in gap or len(gap) > _GAP_MAX_CHARS:
            return True
        return not (self._text[place] in _GROUP_BEGINS or _goes_on(words))


def _goes_on(words: str) -> bool:
    """Say that the last word may belong to the next: it has a digit, or is short and behind one with a digit."""
    *others, word = words.rsplit(None, 2)[-2:] or [""]
    if _DIGIT.search(word) or PEM_BEGIN in words:
        return True
    joins = len(word) <= _SHORT_CHARS or (len(word) <= _CAPITALS_CHARS and word.isupper())
    return joins and bool(others) and _DIGIT.search(others[0]) is not None
