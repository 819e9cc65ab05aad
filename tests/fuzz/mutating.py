"""Inputs that are nearly right, without a fuzzer: what a test can afford."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

_MOST_BYTES: Final = 8192
_PRINTED: Final = rb'" \ { } [ ] : null 1e999 \ud83d data: [EMAIL_1] a@b.example -1 0 ${A} &a *a'.split()
_WORDS: Final = (*_PRINTED, b"\n", b"\r\n", b"\0", b"\xff", b" ")


def mutants(seeds: Sequence[bytes], count: int, chance: Random) -> Iterator[bytes]:
    """Yield inputs made of the seeds: bytes changed, left out, repeated, put in, and parts of two put together."""
    for _ in range(count):
        mutant = chance.choice(seeds)
        for _ in range(chance.randint(1, 4)):
            mutant = _changed(mutant, chance.choice(seeds), chance)
        yield mutant[:_MOST_BYTES]


def _changed(one: bytes, other: bytes, chance: Random) -> bytes:
    start = chance.randint(0, len(one))
    end = min(len(one), start + chance.randint(0, 24))
    match chance.randint(0, 5):
        case 0:
            return one[:start] + chance.choice(_WORDS) + one[end:]
        case 1:
            return one[:start] + one[end:]
        case 2:
            return one[:end] + one[start:end] * chance.randint(1, 8) + one[end:]
        case 3:
            return one[:start] + chance.randbytes(min(8, end - start)) + one[end:]
        case 4:
            return one[:start] + other[chance.randint(0, len(other)) :]
        case _:
            return one[:start] + chance.choice(_WORDS) + one[start:]
