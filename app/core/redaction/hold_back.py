"""
Finds values in streamed text, and releases the text as soon as no finding can include it any more.

The text is cut where no finding can extend across: at white space, unless it may separate groups of one value (a
telephone number, an account). Each part is inspected by itself, with some context before it. The cuts depend only on
the text, so findings do not depend on how it was cut into events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from app.core.redaction.detectors.secrets import PEM_BEGIN, PEM_END, PEM_MOST_CHARS
from app.core.redaction.editing import Edit
from app.core.redaction.finding import Finding
from app.core.redaction.inspector import Inspector

CONTEXT_CHARS: Final = 96  # how far detectors look back for words that describe a value
_BLOCKS_CHARS: Final = (1024, 192)  # tested for triggers at once; the smaller block if the larger one has any
_END_LINE_CHARS: Final = 80  # the last line of a private key is shorter

_BEFORE_WORD: Final = re.compile(r"\s(?=\S)")
_GROUP_BEGINS: Final = frozenset("0123456789(+")
_LOOK_BACK_CHARS: Final = 48
_GAP_MAX_CHARS: Final = 2
_DIGIT: Final = re.compile(r"\d")
_SHORT_CHARS, _CAPITALS_CHARS = 2, 4  # of words that may be between groups with digits: "of", a bank in an account
_TOKEN: Final = re.compile(r"[\w.+/=~%:@-]+")
_KEY_LINES: Final = re.compile(r"[A-Za-z0-9+/=\s\\:,-]+")

Replace: TypeAlias = Callable[[str, str], str | None]  # of detector and value: the replacement; None keeps the value


class Cut:
    """
    An editor that replaces findings.

    Args:
        inspector: Finds values.

        replace: Returns the replacement of a finding; may raise to end the text.

        window_chars: The most that is held back. Longer text without a cut is inspected in windows, half overlapping.
    """

    def __init__(self, inspector: Inspector, replace: Replace, window_chars: int) -> None:
        self._inspector = inspector
        self._replace = replace
        self._window = max(2, window_chars)
        self._at_words = inspector.has_triggers_only  # findings of a configured pattern may include any white space
        self._text = ""  # context, followed by undecided text
        self._at = 0  # start of the undecided text
        self._hot_until = 0  # end of text known to have triggers
        self._open: re.Pattern[str] | None = None  # matches what continues the last finding, if that may go on
        self._open_left = 0  # most characters that may continue it

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece; see `Editor`."""
        self._text += text
        return self._decided(final=False)

    def end(self) -> list[Edit]:
        """Decide the rest; see `Editor`."""
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
        """Release text without triggers, in which no detector can find anything."""
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
        """Decide the text up to the next border; nothing if there is none yet."""
        border = self._first_border(self._at + self._window)
        if border is not None:
            return self._edits(border, self._findings(border))
        if len(self._text) - self._at > self._window:
            return self._part()
        return self._edits(len(self._text), self._findings(len(self._text))) if final else []

    def _part(self) -> list[Edit]:
        """Decide the first half of the window, more or less of it if a finding crosses its end."""
        findings = self._findings(self._at + self._window)
        end = self._at + self._window // 2
        for finding in findings:
            if finding.start < end < finding.end:
                end = finding.start if finding.start > self._at else finding.end
        return self._edits(end, [finding for finding in findings if finding.end <= end])

    def _findings(self, end: int) -> Sequence[Finding]:
        """Return the findings up to `end`; of those that begin in the context, only the undecided part."""
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
        """Note that a finding may go on after `end`: a private key does, as does one that the window has cut off."""
        if value.startswith(PEM_BEGIN) and not PEM_END.search(value):
            self._open, self._open_left = _KEY_LINES, PEM_MOST_CHARS
        elif not value[-1:].isspace() and end - self._at > self._window // 2:
            self._open, self._open_left = _TOKEN, PEM_MOST_CHARS

    def _go_on(self, *, final: bool) -> list[Edit]:
        """Remove text that continues the last finding."""
        shape = self._open or _TOKEN
        most = min(len(self._text), self._at + self._open_left)
        rest = shape.match(self._text, self._at, most)
        stop = self._at if rest is None else rest.end()
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
        """Return the first border in the undecided text, up to `limit`: a place that no finding extends across."""
        if not self._at_words:
            return None
        for gap in _BEFORE_WORD.finditer(self._text, self._at, limit + 1):  # bounded, as a word may be long
            if gap.end() > self._at and self._is_border(gap.end()):
                return gap.end()
        return None

    def _last_border(self, limit: int) -> int | None:
        """Return the last border in the undecided text before `limit`."""
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
    """Return whether a value may go on after the last word: one with a digit, or a short one after such a word."""
    *others, word = words.rsplit(None, 2)[-2:] or [""]
    if _DIGIT.search(word) or PEM_BEGIN in words:
        return True
    joins = len(word) <= _SHORT_CHARS or (len(word) <= _CAPITALS_CHARS and word.isupper())
    return joins and bool(others) and _DIGIT.search(others[0]) is not None
