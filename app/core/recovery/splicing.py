"""
Joins a continuation to the text that it continues, without what the model repeats of that text.

A model that is asked to continue a text may repeat the end of that text, or begin with other white space. Only a prefix
of the continuation is ever removed; nothing is moved or added. A repetition may be intended, so a short one is removed
only where that is unlikely.
"""

from __future__ import annotations

from typing import Final

SURE_CHARS: Final = 16  # length of a repetition that cannot be intended
WORD_CHARS: Final = 3  # the same for one that begins where a word begins, without white space before it
RESTART_CHARS: Final = 40  # of the answer's beginning: a model that repeats these does not continue the answer


class Splice:
    """
    Joins one continuation, in pieces of any size, to the text `said` before.

    `sent` is the text to send to the model: without trailing white space, which makes models falter and some providers
    refuse. `restarted`: the model began the whole answer anew, and differs from it from some point on: then the texts
    cannot be joined, and nothing of the continuation may be used.
    """

    def __init__(self, said: str) -> None:
        self.sent = said.rstrip()
        self.restarted = False
        self._shown_space = said[len(self.sent) :]  # not in `sent`, so the model may repeat it
        self._held = ""
        self._compared = False  # with `sent`
        self._joined = False

    def feed(self, piece: str) -> str:
        """Take the next piece and return the text to append; empty while it may still turn out to be a repetition."""
        if self._joined:
            return piece
        self._held += piece
        if not self._compared and not self._is_open():
            self._compare()
        return self._join() if self._compared and not self._held.isspace() and self._held else ""

    def end(self) -> str:
        """Return the rest that was held back; nothing more comes."""
        if not self._compared:
            self._compare()
        return self._join()

    def _is_open(self) -> bool:
        """Return whether the held text may still become a longer repetition."""
        body = self._held.lstrip()
        at = self.sent.find(body)
        return not body or 0 <= at < len(self.sent) - len(body)

    def _compare(self) -> None:
        """Drop a repetition from the held text."""
        self._compared = True
        body = self._held.lstrip()
        overlap = longest_overlap(self.sent, body)
        if self._is_repeated(body[:overlap], set_apart=body != self._held):
            self._held = body[overlap:]
        elif _common(self.sent, body) >= RESTART_CHARS:
            self._held, self.restarted = "", True

    def _join(self) -> str:
        """Return the held text without white space that the client has already."""
        held, self._held, self._joined = self._held, "", True
        space = held[: len(held) - len(held.lstrip())]
        return held[longest_overlap(self._shown_space, space) :]

    def _is_repeated(self, words: str, *, set_apart: bool) -> bool:
        if not any(map(str.isalpha, words)):  # digits, dashes and the like are often repeated on purpose
            return False
        before = self.sent[-len(words) - 1 : -len(words)]
        begins_a_word = not before.isalnum() and words[0].isalnum()
        return len(words) >= SURE_CHARS or (len(words) >= WORD_CHARS and begins_a_word and not set_apart)


def longest_overlap(first: str, second: str) -> int:
    """Return the length of the longest suffix of `first` that is a prefix of `second`."""
    for length in range(min(len(first), len(second)), 0, -1):
        if first.endswith(second[:length]):
            return length
    return 0


def _common(first: str, second: str) -> int:
    """Return the length of the common prefix of two texts."""
    length = min(len(first), len(second))
    return next((place for place in range(length) if first[place] != second[place]), length)
