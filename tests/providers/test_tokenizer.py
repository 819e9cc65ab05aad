"""Exact counts, with tables that lie on this machine."""

from __future__ import annotations

import sys
import types
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.core.tokens import Family
from app.core.vocabularies import VOCABULARIES, Vocabulary
from app.providers.tokenizer import ExactTokens, ranks_of, tiktoken_encoding

TABLE = b"\n".join(b64encode(token) + b" %d" % rank for rank, token in enumerate((b"a", b"b", b"ab"))) + b"\n\n"


class Pairs:
    """An encoding that knows `a`, `b` and `ab`."""

    def __init__(self, ranks: Mapping[bytes, int]) -> None:
        self._ranks = ranks

    def encode_ordinary(self, text: str) -> list[int]:
        """Take two letters at a time where that is a token."""
        raw, found = text.encode(), []
        while raw:
            token = raw[:2] if raw[:2] in self._ranks else raw[:1]
            found.append(self._ranks[token])
            raw = raw[len(token) :]
        return found


class Maker:
    """Makes encodings, and remembers of what."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, vocabulary: Vocabulary, ranks: Mapping[bytes, int]) -> Pairs:
        """Make one."""
        self.made.append(vocabulary.name)
        return Pairs(ranks)


@pytest.mark.parametrize("file", VOCABULARIES[Family.O200K].files)
async def test_texts_are_counted_by_their_vocabulary(tmp_path: Path, file: str) -> None:
    """Under either name of its table, which is read once, and not before it is needed."""
    (tmp_path / file).write_bytes(TABLE)
    maker = Maker()
    exact = ExactTokens(tmp_path, maker)

    unread = list(maker.made)
    counted = [await exact.count("abba", Family.O200K), await exact.count("", Family.O200K)]

    assert unread == []
    assert (counted, maker.made) == ([3, 0], ["o200k_base"])


async def test_other_vocabularies_are_not_counted(tmp_path: Path) -> None:
    """Neither those without a table here, nor those that nobody publishes."""
    (tmp_path / "o200k_base.tiktoken").write_bytes(TABLE)
    exact = ExactTokens(tmp_path, Maker())

    assert [await exact.count("ab", family) for family in (Family.CL100K, Family.CLAUDE)] == [None, None]


def test_tables_are_those_of_tiktoken() -> None:
    """A token in base64 and its rank on each line."""
    assert ranks_of(TABLE) == {b"a": 0, b"b": 1, b"ab": 2}


def test_tiktoken_is_asked_for_nothing_but_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pattern and the table that are given, so that it fetches nothing."""
    module = types.ModuleType("tiktoken")
    given: dict[str, object] = {}

    def encoding(name: str, **fields: object) -> Pairs:
        given.update(fields, name=name)
        return Pairs({b"a": 0})

    module.Encoding = encoding  # type: ignore[attr-defined] # a module of the test's own
    monkeypatch.setitem(sys.modules, "tiktoken", module)

    made = tiktoken_encoding(VOCABULARIES[Family.CL100K], {b"a": 0})

    assert made.encode_ordinary("a") == [0]
    assert (given["name"], given["mergeable_ranks"], given["special_tokens"]) == ("cl100k_base", {b"a": 0}, {})
    assert given["pat_str"] == VOCABULARIES[Family.CL100K].pattern
