"""When the scripted provider's bytes come."""

from __future__ import annotations

import pytest

from app.providers.sim import SimUpstream
from tests.providers.sim.asking import ListedClock, asking, contents, payloads, replying


async def test_stream_without_a_pace_comes_in_one_piece(sim: SimUpstream, clock: ListedClock) -> None:
    """A fast answer costs one read; only a long one lets the loop take a turn in between."""
    async with replying(sim, asking("words?words=60", stream=True)) as reply:
        short = [data async for data in reply.chunks()]
    async with replying(sim, asking("words?words=130", stream=True)) as reply:
        long = [data async for data in reply.chunks()]

    assert [1, 3] == [len(short), len(long)]
    assert [0.0, 0.0] == clock.slept


async def test_pace_pauses_before_each_further_word(sim: SimUpstream, clock: ListedClock) -> None:
    """A paced stream sends the role with the first word, then a word a pause."""
    async with replying(sim, asking("echo?first_token_s=2&tokens_per_s=4", stream=True)) as reply:
        after_head = list(clock.slept)
        parts = [data async for data in reply.chunks()]

    assert [2.0] == after_head
    assert [2.0, 0.25, 0.25] == clock.slept
    assert [["one "], ["two  "], ["three"]] == [contents(payloads(part)) for part in parts]


async def test_head_can_come_before_the_first_token(sim: SimUpstream, clock: ListedClock) -> None:
    """`head_s` sends head and role at its own time; the first word still comes at `first_token_s`."""
    async with replying(sim, asking("echo?head_s=0.5&first_token_s=2", stream=True)) as reply:
        after_head = list(clock.slept)
        parts = [data async for data in reply.chunks()]

    assert ([0.5], [0.5, 1.5]) == (after_head, clock.slept)
    assert [[], ["one ", "two  ", "three"]] == [contents(payloads(part)) for part in parts]


@pytest.mark.parametrize(
    ("options", "head", "all_of_it"),
    [
        ("first_token_s=2", [2.0], [2.0]),
        ("first_token_s=2&tokens_per_s=4", [2.5], [2.5]),
        ("first_token_s=2&tokens_per_s=4&head_s=0", [], [2.5]),
        ("head_s=9", [], []),
    ],
)
async def test_whole_answer_takes_as_long_as_its_words(
    sim: SimUpstream, clock: ListedClock, options: str, head: list[float], all_of_it: list[float]
) -> None:
    """A whole answer has its head when its last word is ready, unless `head_s` sends it before."""
    async with replying(sim, asking(f"echo?{options}")) as reply:
        after_head = list(clock.slept)
        body = b"".join([data async for data in reply.chunks()])

    assert (head, all_of_it) == (after_head, clock.slept)
    assert body.endswith(b"}")
