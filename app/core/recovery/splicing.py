"""
Where the second half of an answer begins: what a model says again of the first half is left out.

A model that is asked to continue a text may begin with the end of that text once more, or with other white space. What
is left out is always a beginning of what it says; nothing is ever moved or made up. Whether it repeats itself or really
means the same words twice cannot always be told, so little is left out only where it can hardly be meant.
"""

from __future__ import annotations

from typing import Final

SURE_CHARS: Final = 16  # of a repeated end: so much is no accident
WORD_CHARS: Final = 3  # of one that begins where a word begins, and that no space sets apart
RESTART_CHARS: Final = 40  # of the beginning of the answer: who says these again does not continue it


class Splice:
    """
    Joins what a second model says to what was said before. For one continuation, in pieces of any size.

    `sent` is what the model shall be shown: the text without the white space at its end, after which models stumble and
    which some providers refuse. `restarted` says that the model began the whole answer anew, in other words from some
    point on: then there is no seam, and nothing of it may be used.
    """

    def __init__(self, said: str) -> None:
        self.sent = said.rstrip()
        self.restarted = False
        self._shown_space = said[len(self.sent) :]  # which the model does not know of, and may bring again
        self._held = ""
        self._compared = False  # with what was said before
        self._joined = False

    def feed(self, piece: str) -> str:
        """Take the next piece and return what is new of all that came; may be empty as long as that is open."""
        if self._joined:
            return piece
        self._held += piece
        if not self._compared and not self._is_open():
            self._compare()
        return self._join() if self._compared and not self._held.isspace() and self._held else ""

    def end(self) -> str:
        """Return what was held back when nothing more comes."""
        if not self._compared:
            self._compare()
        return self._join()

    def _is_open(self) -> bool:
        """Say whether what is held may still become a longer repetition."""
        body = self._held.lstrip()
        at = self.sent.find(body)
        return not body or 0 <= at < len(self.sent) - len(body)

    def _compare(self) -> None:
        """Drop what is said again."""
        self._compared = True
        body = self._held.lstrip()
        overlap = longest_overlap(self.sent, body)
        if self._is_repeated(body[:overlap], set_apart=body != self._held):
            self._held = body[overlap:]
        elif _common(self.sent, body) >= RESTART_CHARS:
            self._held, self.restarted = "", True

    def _join(self) -> str:
        """Let the white space on both sides of the seam be one."""
        held, self._held, self._joined = self._held, "", True
        space = held[: len(held) - len(held.lstrip())]
        return held[longest_overlap(self._shown_space, space) :]

    def _is_repeated(self, words: str, *, set_apart: bool) -> bool:
        if not any(map(str.isalpha, words)):  # ones, dashes and the like come twice all the time
            return False
        before = self.sent[-len(words) - 1 : -len(words)]
        begins_a_word = not before.isalnum() and words[0].isalnum()
        return len(words) >= SURE_CHARS or (len(words) >= WORD_CHARS and begins_a_word and not set_apart)


def longest_overlap(first: str, second: str) -> int:
    """Return how many characters at most the end of `first` and the beginning of `second` have in common."""
    for length in range(min(len(first), len(second)), 0, -1):
        if first.endswith(second[:length]):
            return length
    return 0


def _common(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    length = min(len(first), len(second))
    return next((place for place in range(length) if first[place] != second[place]), length)
