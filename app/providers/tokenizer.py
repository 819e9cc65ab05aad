"""
Counts tokens exactly, with tables that lie on this machine; nothing is ever fetched.

tiktoken is no dependency of the gateway: whoever wants exact counts installs it, and names the folder of its tables.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeAlias

from app.core.tokens import Family
from app.core.vocabularies import PACKAGE, VOCABULARIES, Vocabulary


class Encoding(Protocol):
    """What is used of tiktoken's class of that name."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        ...


Make: TypeAlias = Callable[[Vocabulary, Mapping[bytes, int]], Encoding]


class ExactTokens:
    """The `Tokenizer` of one folder of tables, each read, and made an encoding by `make`, when it is needed first."""

    def __init__(self, folder: Path, make: Make) -> None:
        self._make = make
        self._tables = {
            family: path
            for family, vocabulary in VOCABULARIES.items()
            for path in [folder / name for name in vocabulary.files]
            if path.is_file()
        }
        self._encodings: dict[Family, Encoding] = {}

    async def count(self, text: str, family: Family) -> int | None:
        """Count on a thread, since a long text takes milliseconds; None for a vocabulary that is not there."""
        if family not in self._tables:
            return None
        return await asyncio.to_thread(self._count, text, family)

    def _count(self, text: str, family: Family) -> int:
        encoding = self._encodings.get(family)
        if encoding is None:
            table = ranks_of(self._tables[family].read_bytes())
            encoding = self._encodings[family] = self._make(VOCABULARIES[family], table)
        return len(encoding.encode_ordinary(text))


def ranks_of(table: bytes) -> dict[bytes, int]:
    """Read a table: on each line a token in base64, and its rank."""
    lines = [line.split() for line in table.splitlines() if line]
    return {b64decode(token): int(rank) for token, rank in lines}


def tiktoken_encoding(vocabulary: Vocabulary, ranks: Mapping[bytes, int]) -> Encoding:
    """Make an encoding of tiktoken, which is imported here and nowhere else."""
    module = import_module(PACKAGE)
    encoding: Encoding = module.Encoding(
        vocabulary.name, pat_str=vocabulary.pattern, mergeable_ranks=dict(ranks), special_tokens={}
    )
    return encoding
