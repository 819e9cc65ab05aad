"""Asking another service: in bounded time, never one that keeps failing, and with a policy for no answer."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import CHECK_UNAVAILABLE, GatewayError
from tests.inspection.service import Service, hook_to
from tests.support.virtual_time import VirtualClock


async def test_a_question_and_its_answer(clock: VirtualClock) -> None:
    """JSON there and back, with the key, and the connection is given back."""
    service = Service(lambda question: {"seen": question})
    hook = hook_to(service, clock, key="secret")

    answer = await hook.ask(b'{"a":1}')

    assert answer == b'{"seen":{"a":1}}'
    assert (service.asked[0].url, service.replies[0].closed) == ("http://judge/ask", True)
    assert ("authorization", "Bearer secret") in service.asked[0].headers


@pytest.mark.parametrize(
    "service",
    [
        Service(lambda _: {}, status=500),
        Service(lambda _: {}, status=302),
        Service(lambda _: {}, after_s=1.5),
        Service(lambda _: b"x" * 5_000_000),
    ],
    ids=["status", "redirect", "slow", "endless"],
)
async def test_no_answer(clock: VirtualClock, service: Service) -> None:
    """Closed refuses the call within the time allowed, open lets it go on."""
    began = clock.now()

    with pytest.raises(GatewayError, match="'judge'") as caught:
        await hook_to(service, clock).ask(b"{}")

    assert caught.value.kind is CHECK_UNAVAILABLE
    assert clock.now() - began <= 1.0
    assert await hook_to(service, clock, fail_open=True).ask(b"{}") is None


async def test_a_service_that_keeps_failing_is_left_alone(clock: VirtualClock) -> None:
    """After five failures nobody waits for it, until it is tried again; then it is used again."""
    service = Service(lambda _: {"ok": True})
    service.down = True
    hook = hook_to(service, clock, fail_open=True)

    answers = [await hook.ask(b"{}") for _ in range(8)]
    asked = len(service.asked)
    service.down = False
    await asyncio.sleep(10.0)
    answers.append(await hook.ask(b"{}"))

    assert (answers, asked) == ([*[None] * 8, b'{"ok":true}'], 5)


async def test_leaving_is_no_failure_of_the_service(clock: VirtualClock) -> None:
    """A client that leaves while its prompt is judged says nothing about the judge."""
    service = Service(lambda _: {}, after_s=0.9)
    hook = hook_to(service, clock)

    for _ in range(8):
        task = asyncio.ensure_future(hook.ask(b"{}"))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])

    assert await hook.ask(b"{}") == b"{}"
