"""
Edits of a text that comes in pieces, and how they are carried out in plain text and inside of a JSON string.

An editor says of the characters it was given, in order, which stay and what becomes of the others; it may hold some
back until it knows. What it makes of a text must not depend on how that was cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

Edit: TypeAlias = tuple[int, str | None]  # so many characters stay (None), or become this text

_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+", re.DOTALL
)
# The end of a text in which an escape is not complete, or the first half of a character that takes two.
_BEGUN: Final = re.compile(
    r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?)?$"
)
_ESCAPE_MAX_CHARS: Final = 12  # of one that takes two
_REPLACEMENT: Final = "�"


class Editor(Protocol):
    """Decides about one text. Fresh for each."""

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece and return the edits that are certain."""

    def end(self) -> list[Edit]:
        """Take note that nothing follows and return the last edits."""


class Rewriter(Protocol):
    """Makes another text of one text. Fresh for each."""

    @property
    def is_idle(self) -> bool:
        """Say that nothing is held back."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what of the result is certain."""

    def end(self) -> str:
        """Take note that nothing follows and return the rest."""


def in_full(rewriter: Rewriter, text: str) -> str:
    """Return what a fresh rewriter makes of a whole text."""
    return rewriter.feed(text) + rewriter.end()


class Plain:
    """Carries edits out in the text itself."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._held = ""

    @property
    def is_idle(self) -> bool:
        """Say that nothing is held back."""
        return not self._held

    def feed(self, text: str) -> str:
        """Return what is certain; see `Rewriter`."""
        self._held += text
        return self._carried_out(self._editor.feed(text))

    def end(self) -> str:
        """Return the rest; see `Rewriter`."""
        return self._carried_out(self._editor.end())

    def _carried_out(self, edits: Iterable[Edit]) -> str:
        parts, position = [], 0
        for length, replacement in edits:
            parts.append(self._held[position : position + length] if replacement is None else replacement)
            position += length
        self._held = self._held[position:]
        return "".join(parts)


class InJson:
    """
    Carries edits out in JSON text: the editor sees characters where that has escapes, and what it puts in is escaped.

    What stays keeps its spelling.
    """

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._incomplete = ""  # the beginning of an escape
        self._spellings: Sequence[str] = ""  # of each character that the editor has not decided about

    @property
    def is_idle(self) -> bool:
        """Say that nothing is held back."""
        return not self._spellings and not self._incomplete

    def feed(self, text: str) -> str:
        """Return what is certain; see `Rewriter`."""
        text = self._incomplete + text
        complete = _complete_chars(text)
        text, self._incomplete = text[:complete], text[complete:]
        return self._taken(text)

    def end(self) -> str:
        """Return the rest; see `Rewriter`."""
        text, self._incomplete = self._incomplete, ""
        return self._taken(text) + self._carried_out(self._editor.end())

    def _taken(self, text: str) -> str:
        if "\\" not in text:
            self._spellings = self._spellings + text if isinstance(self._spellings, str) else [*self._spellings, *text]
            return self._carried_out(self._editor.feed(text))
        spellings: list[str] = list(self._spellings)
        characters: list[str] = []
        for piece in _ESCAPE.findall(text) or [text]:
            if piece[0] == "\\":
                spellings.append(piece)
                characters.append(_character(piece))
            else:
                spellings += piece
                characters.append(piece)
        self._spellings = spellings
        return self._carried_out(self._editor.feed("".join(characters)))

    def _carried_out(self, edits: Iterable[Edit]) -> str:
        parts: list[str] = []
        position = 0
        for length, replacement in edits:
            kept = self._spellings[position : position + length]
            parts += kept if replacement is None else [in_json(replacement)]
            position += length
        self._spellings = self._spellings[position:]
        return "".join(parts)


class Chain:
    """One rewriter after the other."""

    def __init__(self, rewriters: Sequence[Rewriter]) -> None:
        self._rewriters = tuple(rewriters)

    @property
    def is_idle(self) -> bool:
        """Say that nothing is held back."""
        return all(rewriter.is_idle for rewriter in self._rewriters)

    def feed(self, text: str) -> str:
        """Return what is certain; see `Rewriter`."""
        for rewriter in self._rewriters:
            text = rewriter.feed(text)
        return text

    def end(self) -> str:
        """Return the rest; see `Rewriter`."""
        text = ""
        for rewriter in self._rewriters:
            text = rewriter.feed(text) + rewriter.end()
        return text


def plain_of(json_text: str) -> str:
    """Return what an editor sees of a whole JSON text: characters instead of escapes."""
    if "\\" not in json_text:
        return json_text
    return "".join([_character(piece) if piece[0] == "\\" else piece for piece in _ESCAPE.findall(json_text)])


def in_json(text: str) -> str:
    """Spell a text as it stands between the quotation marks of a JSON string."""
    return msgspec.json.encode(text)[1:-1].decode()


def _character(escape: str) -> str:
    """Return what an escape stands for: one character, whatever was written."""
    try:
        character = msgspec.json.decode(f'"{escape}"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _REPLACEMENT  # half a character, or no escape of JSON's
    return character if len(character) == 1 else _REPLACEMENT


def _complete_chars(text: str) -> int:
    """Return how many characters come before an escape that is not complete."""
    begun = _BEGUN.search(text) if "\\" in text[-_ESCAPE_MAX_CHARS:] else None
    while begun is not None and not _is_escape(text, begun.start()):
        begun = _BEGUN.search(text, begun.start() + 1)  # a backslash that was escaped itself may stand before another
    return len(text) if begun is None else begun.start()


def _is_escape(text: str, position: int) -> bool:
    """Say whether the backslash at `position` begins an escape, and is not the second one of another."""
    before = text[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


class Given:
    """An editor of a text that is known from the beginning."""

    def __init__(self, edits: list[Edit]) -> None:
        self._edits = edits

    def feed(self, text: str) -> list[Edit]:  # noqa: ARG002 - the protocol's
        """Return all edits."""
        return self._edits

    def end(self) -> list[Edit]:
        """Return none."""
        return []
