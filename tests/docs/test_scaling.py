"""The arithmetic of the page about scaling is right."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from app.providers.pool import PoolOptions

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
CPU_S, ANSWER_S, WORKERS, SHARE, SHARD_PER_S, STREAM_KB = 0.0004, 5, 16, 0.6, 150_000, 25


def test_the_page_states_what_it_reckons_with() -> None:
    """The assumptions below are those of the page, and the bound on connections is that of the pool."""
    assert "CPU of a call: 0.4 ms" in PAGE
    assert "mean time of an answer: 5 s" in PAGE
    assert f"{PoolOptions().connections_max:,} a worker, {PoolOptions().per_origin_max:,} of them" in PAGE


@pytest.mark.parametrize("rate", [1_000, 10_000, 100_000, 1_000_000])
def test_rows_follow_from_the_formulas(rate: int) -> None:
    """Replicas for CPU and for connections, calls in flight, memory and shards; never fewer than either needs."""
    found = re.search(rf"^\| {rate:,} \|(.+)\|$", PAGE, re.MULTILINE)
    assert found
    cells = [cell.strip() for cell in found[1].split("|")]
    numbers = [float(re.sub(r"[^\d.].*", "", cell.replace(",", ""))) for cell in cells]

    cpu, in_flight, connections, replicas, memory_gb, shards, leased = numbers

    assert cpu == math.ceil(rate * CPU_S / (SHARE * WORKERS))
    assert in_flight == rate * ANSWER_S
    assert connections == math.ceil(in_flight / (PoolOptions().connections_max * WORKERS))
    assert replicas >= max(cpu, connections)
    assert memory_gb == pytest.approx(in_flight / replicas * STREAM_KB / 1e6, abs=0.06)
    assert shards >= 2 * rate / SHARD_PER_S
    assert leased >= 2 * rate / SHARD_PER_S / 25
