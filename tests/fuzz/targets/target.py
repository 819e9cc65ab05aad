"""What a fuzz target is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """
    One parser under fire.

    `one` takes one input and raises for a fault only: refusals of the error table are answers. `seeds` are where a
    fuzzer begins. `growing` are units that an attacker would repeat: the work for twice as many must be about twice as
    much.
    """

    name: str
    one: Callable[[bytes], None]
    seeds: Sequence[bytes]
    growing: Sequence[tuple[bytes, bytes, bytes]] = ()  # what stands before, what is repeated, what stands behind

    def grown(self, index: int, times: int) -> bytes:
        """Return one of the growing inputs, its unit that often."""
        before, unit, behind = self.growing[index]
        return before + unit * times + behind
