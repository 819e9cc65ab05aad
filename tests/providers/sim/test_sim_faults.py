"""How the scripted provider fails, seen through the port."""

from __future__ import annotations

import msgspec
import pytest

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.sim import SimUpstream
from tests.providers.sim.asking import (
    YEAR_S,
    ListedClock,
    answer,
    asking,
    broken,
    contents,
    payloads,
    refusal,
    replying,
    streamed,
    whole,
)


async def status_of(sim: SimUpstream, model: str) -> int:
    """Return the status of one call."""
    async with replying(sim, asking(model)) as reply:
        return reply.status


@pytest.mark.parametrize(
    ("model", "status", "kind", "code"),
    [
        ("fail", 500, "server_error", None),
        ("fail?status=503", 503, "server_error", None),
        ("fail?status=400&code=context_length_exceeded", 400, "invalid_request_error", "context_length_exceeded"),
        ("echo?status=401", 401, "authentication_error", None),
        ("words?status=302", 302, "invalid_request_error", None),
    ],
)
async def test_status_is_an_openai_error(
    sim: SimUpstream, model: str, status: int, kind: str, code: str | None
) -> None:
    """A script can answer with any status of 300 to 599 and an error body."""
    answered, error = await refusal(sim, asking(model))

    assert (status, kind, code, None) == (answered, error["type"], error["code"], error["param"])


async def test_retry_after_is_sent_in_both_units(sim: SimUpstream) -> None:
    """`retry_after_s` becomes whole seconds, rounded up, and milliseconds."""
    async with replying(sim, asking("fail?status=429&retry_after_s=1.5")) as reply:
        headers = reply.headers

    assert ("2", "1500") == (headers["retry-after"], headers["retry-after-ms"])


@pytest.mark.parametrize(
    ("model", "status"), [("echo?times=2", 500), ("fail?times=2", 500), ("words?status=429&times=2", 429)]
)
async def test_first_calls_fail_then_the_script_answers(sim: SimUpstream, model: str, status: int) -> None:
    """`times=2` makes the first two calls of that very script meet its fault, and no later one."""
    statuses = [await status_of(sim, model) for _ in range(4)]
    another = await status_of(sim, f"{model}&id=another")

    assert [status, status, 200, 200] == statuses
    assert status == another


async def test_any_fault_can_be_limited_to_the_first_calls() -> None:
    """`times` belongs to whichever fault the script has."""
    sim = SimUpstream(ListedClock(), lambda: 0.5)

    with pytest.raises(GatewayError):
        await sim.send(asking("echo?refuse=1&times=1"))
    status = await status_of(sim, "echo?refuse=1&times=1")

    assert 200 == status


async def test_rate_fails_by_chance() -> None:
    """`rate` compares each call with the injected chance."""
    chance = iter([0.05, 0.1, 0.09, 0.99])
    sim = SimUpstream(ListedClock(), lambda: next(chance))

    statuses = [await status_of(sim, "echo?rate=0.1&status=529") for _ in range(4)]

    assert [529, 200, 529, 200] == statuses


async def test_refused_connection_has_no_head(sim: SimUpstream) -> None:
    """`refuse` fails as a closed port does."""
    with pytest.raises(GatewayError) as caught:
        await sim.send(asking("echo?refuse=1"))

    assert caught.value.kind is TARGET_UNAVAILABLE
    assert (0, 0) == (sim.open_replies, sim.left_early)


async def test_hang_never_sends_a_head(sim: SimUpstream, clock: ListedClock) -> None:
    """`hang` is silent for longer than anyone waits, and then gone."""
    with pytest.raises(GatewayError) as caught:
        await sim.send(asking("echo?hang=1"))

    assert caught.value.kind is TARGET_UNAVAILABLE
    assert [YEAR_S] == clock.slept


@pytest.mark.parametrize(("after", "said"), [(0, []), (2, ["one ", "two  "]), (99, ["one ", "two  ", "three"])])
async def test_stream_dies_after_some_words(sim: SimUpstream, after: int, said: list[str]) -> None:
    """`die_after` breaks the connection after as many words, or after all there are, before any finish reason."""
    body, kind = await broken(sim, asking(f"echo?die_after={after}", stream=True))

    events = payloads(body)
    assert kind is TARGET_UNAVAILABLE
    assert said == contents(events)
    assert len(said) + 1 == len(events)
    assert (0, 0) == (sim.open_replies, sim.left_early)


async def test_stream_is_cut_after_some_words(sim: SimUpstream) -> None:
    """`cut_after` ends the body properly although neither finish reason nor [DONE] came."""
    events = await streamed(sim, "echo?cut_after=1")

    assert ["one "] == contents(events)
    assert 2 == len(events)


async def test_stream_stalls_after_some_words(sim: SimUpstream, clock: ListedClock) -> None:
    """`stall_after` is silence after as many words, longer than anyone waits."""
    body, kind = await broken(sim, asking("echo?stall_after=1", stream=True))

    events = payloads(body)
    assert kind is TARGET_UNAVAILABLE
    assert ["one "] == contents(events)
    assert [YEAR_S] == clock.slept


async def test_stream_reports_an_error_after_some_words(sim: SimUpstream) -> None:
    """`error_after` sends an error frame in mid-answer and ends."""
    events = await streamed(sim, "echo?error_after=1")

    assert ["one "] == contents(events)
    assert "server_error" == events[-1]["error"]["type"]


@pytest.mark.parametrize("option", ["die_after=1", "stall_after=1"])
async def test_whole_answer_breaks_in_its_middle(sim: SimUpstream, option: str) -> None:
    """A whole answer that dies or stalls leaves half a body."""
    body, kind = await broken(sim, asking(f"echo?{option}"))

    assert kind is TARGET_UNAVAILABLE
    assert body.startswith(b'{"id":"chatcmpl-sim1"')
    assert not body.endswith(b"}")


async def test_whole_answer_can_be_cut_or_be_an_error(sim: SimUpstream) -> None:
    """A whole answer that is cut ends properly in mid-JSON; one with an error is that error, with status 200."""
    cut = await whole(sim, asking("echo?cut_after=1"))
    error = await answer(sim, asking("echo?error_after=1"))

    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(cut)
    assert ["error"] == list(error)
