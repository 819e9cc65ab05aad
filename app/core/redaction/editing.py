"""
Edits of a text that comes in pieces, and their application to plain text and to text inside of a JSON string.

An editor returns edits for the characters that it was fed, in order; it may hold characters back until it can decide.
Its result must not depend on how the text was cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

Edit: TypeAlias = tuple[int, str | None]  # a number of characters, and their replacement; None keeps them

_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+", re.DOTALL
)
# An incomplete escape at the end of a text, or the first half of a surrogate pair.
_BEGUN: Final = re.compile(
    r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?)?$"
)
_ESCAPE_MAX_CHARS: Final = 12  # of a surrogate pair
_REPLACEMENT: Final = "�"


class Editor(Protocol):
    """Decides about one text; each text needs a fresh one."""

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece and return the edits that are certain."""

    def end(self) -> list[Edit]:
        """Return the edits for the rest; nothing more comes."""


class Rewriter(Protocol):
    """Rewrites one text; each text needs a fresh one."""

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is held back."""

    def feed(self, text: str) -> str:
        """Take the next piece and return the part of the result that is certain."""

    def end(self) -> str:
        """Return the rest of the result; nothing more comes."""


def in_full(rewriter: Rewriter, text: str) -> str:
    """Return the result of a fresh rewriter for a whole text."""
    return rewriter.feed(text) + rewriter.end()


class Plain:
    """Applies edits to plain text."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._held = ""

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is held back."""
        return not self._held

    def feed(self, text: str) -> str:
        """Return what is certain; see `Rewriter`."""
        self._held += text
        return self._applied(self._editor.feed(text))

    def end(self) -> str:
        """Return the rest; see `Rewriter`."""
        return self._applied(self._editor.end())

    def _applied(self, edits: Iterable[Edit]) -> str:
        parts, position = [], 0
        for length, replacement in edits:
            parts.append(self._held[position : position + length] if replacement is None else replacement)
            position += length
        self._held = self._held[position:]
        return "".join(parts)


class InJson:
    """
    Applies edits to JSON text: the editor sees characters instead of escapes, and its replacements are escaped.

    Text that is kept keeps its escapes.
    """

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._incomplete = ""  # the beginning of an escape
        self._spellings: Sequence[str] = ""  # the JSON of each character that the editor has not decided about

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is held back."""
        return not self._spellings and not self._incomplete

    def feed(self, text: str) -> str:
        """Return what is certain; see `Rewriter`."""
        text = self._incomplete + text
        complete = _complete_chars(text)
        text, self._incomplete = text[:complete], text[complete:]
        return self._fed(text)

    def end(self) -> str:
        """Return the rest; see `Rewriter`."""
        text, self._incomplete = self._incomplete, ""
        return self._fed(text) + self._applied(self._editor.end())

    def _fed(self, text: str) -> str:
        if "\\" not in text:
            self._spellings = self._spellings + text if isinstance(self._spellings, str) else [*self._spellings, *text]
            return self._applied(self._editor.feed(text))
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
        return self._applied(self._editor.feed("".join(characters)))

    def _applied(self, edits: Iterable[Edit]) -> str:
        parts: list[str] = []
        position = 0
        for length, replacement in edits:
            kept = self._spellings[position : position + length]
            parts += kept if replacement is None else [in_json(replacement)]
            position += length
        self._spellings = self._spellings[position:]
        return "".join(parts)


class Chain:
    """Applies one rewriter after the other."""

    def __init__(self, rewriters: Sequence[Rewriter]) -> None:
        self._rewriters = tuple(rewriters)

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is held back."""
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
    """Return a whole JSON text as an editor sees it: characters instead of escapes."""
    if "\\" not in json_text:
        return json_text
    return "".join([_character(piece) if piece[0] == "\\" else piece for piece in _ESCAPE.findall(json_text)])


def in_json(text: str) -> str:
    """Return a text escaped as in a JSON string, without the quotation marks."""
    return msgspec.json.encode(text)[1:-1].decode()


def _character(escape: str) -> str:
    """Return the one character that an escape stands for; U+FFFD if it is not valid."""
    try:
        character = msgspec.json.decode(f'"{escape}"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _REPLACEMENT  # half a surrogate pair, or not an escape in JSON
    return character if len(character) == 1 else _REPLACEMENT


def _complete_chars(text: str) -> int:
    """Return the number of characters before an incomplete escape at the end."""
    begun = _BEGUN.search(text) if "\\" in text[-_ESCAPE_MAX_CHARS:] else None
    while begun is not None and not _is_escape(text, begun.start()):
        begun = _BEGUN.search(text, begun.start() + 1)  # this backslash is escaped itself; the next one may not be
    return len(text) if begun is None else begun.start()


def _is_escape(text: str, position: int) -> bool:
    """Return whether the backslash at `position` begins an escape, and is not itself escaped."""
    before = text[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


class Given:
    """An editor of a whole text, with known edits."""

    def __init__(self, edits: list[Edit]) -> None:
        self._edits = edits

    def feed(self, text: str) -> list[Edit]:  # noqa: ARG002 - the protocol's
        """Return all edits."""
        return self._edits

    def end(self) -> list[Edit]:
        """Return none."""
        return []
