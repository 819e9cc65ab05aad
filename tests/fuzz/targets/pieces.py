"""Reading what a fuzzer gives: the first bytes choose, the rest is what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T", bytes, str)


def chosen(data: bytes, count: int) -> tuple[list[int], bytes]:
    """Return the first `count` bytes as numbers, zeros where there are too few, and the rest."""
    numbers = [*data[:count], *[0] * count][:count]
    return numbers, data[count:]


def cut(whole: T, size: int) -> Sequence[T]:
    """Cut into pieces whose sizes go up and down, so that no border is like the other."""
    pieces, start, step = [], 0, max(1, size)
    while start < len(whole):
        pieces.append(whole[start : start + step])
        start += step
        step = step * 7 % 61 + 1
    return pieces


def text_of(data: bytes) -> str:
    """Return the text that bytes spell, as any body that was decoded has it: without halves of characters."""
    return data.decode(errors="ignore")
