"""One round of one contestant: put the load on, read its CPU clock before and after, keep the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from loadtests import client
from loadtests.client import Load, Tally
from loadtests.contestants import Contestant
from loadtests.stats import percentile, quotient

_WARM_UP_S = 0.15
"""Opens the proxy's upstream connections again, which some clients drop after seconds of idling."""


class UnaryRound(msgspec.Struct, frozen=True):
    """Unary requests: CPU µs of the server per request, requests per second, latency in ms."""

    cpu_us: float | None
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    errors: int


class StreamRound(msgspec.Struct, frozen=True):
    """
    Streams: CPU µs of the server per chunk, chunks per second; in ms the time to the first token and the age of chunks.

    The CPU per chunk has the cost of opening the stream in it.
    """

    cpu_us: float | None
    chunks_per_s: float
    first_p50_ms: float | None
    first_p99_ms: float | None
    chunk_p50_ms: float | None
    chunk_p99_ms: float | None
    errors: int


async def unary(contestant: Contestant, concurrency: int, seconds: float, more_bytes: int = 0) -> UnaryRound:
    """Ask for unary answers in a closed loop."""
    load = Load(contestant.port, contestant.model, concurrency, seconds, key=contestant.key, more_bytes=more_bytes)
    tally, cpu_s = await _measure(contestant, load)
    return UnaryRound(
        cpu_us=_micro(quotient(cpu_s, tally.requests)),
        rps=tally.requests / tally.elapsed_s,
        p50_ms=_milli(tally.latency_s, 0.5),
        p99_ms=_milli(tally.latency_s, 0.99),
        errors=tally.errors,
    )


async def streams(contestant: Contestant, concurrency: int, seconds: float, tokens: int) -> StreamRound:
    """Ask for streams of `tokens` chunks in a closed loop."""
    load = Load(contestant.port, contestant.model, concurrency, seconds, tokens=tokens, key=contestant.key)
    tally, cpu_s = await _measure(contestant, load)
    return StreamRound(
        cpu_us=_micro(quotient(cpu_s, tally.tokens)),
        chunks_per_s=tally.tokens / tally.elapsed_s,
        first_p50_ms=_milli(tally.first_token_s, 0.5),
        first_p99_ms=_milli(tally.first_token_s, 0.99),
        chunk_p50_ms=_milli(tally.token_s, 0.5),
        chunk_p99_ms=_milli(tally.token_s, 0.99),
        errors=tally.errors,
    )


async def _measure(contestant: Contestant, load: Load) -> tuple[Tally, float | None]:
    short = min(load.tokens, 2) if load.tokens is not None else None
    await client.run(replace(load, duration_s=_WARM_UP_S, tokens=short))
    if contestant.server is None:
        return await client.run(load), None
    before_s = contestant.server.cpu_s()
    tally = await client.run(load)
    return tally, contestant.server.cpu_s() - before_s


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6


def _milli(figures: Sequence[float], share: float) -> float | None:
    found = percentile(figures, share)
    return None if found is None else found * 1e3
