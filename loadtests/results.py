"""What a benchmark run found, as it goes into the JSON file; the report is made from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from loadtests.rounds import StreamRound, UnaryRound

UnaryRounds: TypeAlias = Mapping[str, Sequence[UnaryRound]]
StreamRounds: TypeAlias = Mapping[str, Sequence[StreamRound]]


class Plan(msgspec.Struct, frozen=True):
    """
    How much to measure.

    `seconds` is the length of a round; `starts` counts starts of the gateway; `concurrency` lists the closed loops of
    unary requests, whose prompts are `more_bytes` longer than usual; `streams` of `tokens` chunks run side by side;
    `contestants` are names of
    `loadtests.contestants.ALL`.
    """

    rounds: int
    seconds: float
    starts: int
    concurrency: tuple[int, ...]
    streams: int
    tokens: int
    contestants: tuple[str, ...]
    more_bytes: int = 0


class Machine(msgspec.Struct, frozen=True):
    """
    Where it ran.

    `pinned` says whether the contestants had a core of their own; `load` is the load average before.
    """

    python: str
    system: str
    cores: int
    pinned: bool
    load: float


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of a server in MiB: after start, and after all load."""

    idle_mib: float
    loaded_mib: float


class Startup(msgspec.Struct, frozen=True):
    """One start of the gateway: seconds to its first answer, CPU seconds spent until then, MiB resident afterwards."""

    first_answer_s: float
    cpu_s: float
    idle_mib: float


class InProcess(msgspec.Struct, frozen=True):
    """
    CPU µs of something run inside one process, one figure per round.

    Per unary request, per stream of one chunk, per further chunk of a stream, and of the yardstick in the same moment.
    """

    request_us: tuple[float, ...]
    stream_us: tuple[float, ...]
    event_us: tuple[float, ...]
    yardstick_us: tuple[float, ...]


OneRound: TypeAlias = tuple[float, float, float, float]
"""The four figures of one round, in the order of `InProcess`."""


def in_process(rounds: Sequence[OneRound]) -> InProcess:
    """Turn rounds of figures into figures by rounds."""
    request, stream, event, yardstick = zip(*rounds, strict=True)
    return InProcess(request, stream, event, yardstick)


class Results(msgspec.Struct, frozen=True):
    """Everything found. `unary` is keyed by concurrency; a part that was not measured is empty or `None`."""

    plan: Plan
    machine: Machine
    unary: Mapping[int, UnaryRounds]
    streams: StreamRounds
    first_token: StreamRounds
    memory: Mapping[str, Memory]
    startup: Sequence[Startup]
    own_code: InProcess | None
    adapter: InProcess | None
