"""The process of the built-in model is started, watched, restarted and ended; real processes stand in for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import psutil
import pytest

from app.core.clock import SystemClock
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.local.supervisor import LocalModel
from tests.providers.local.children import (
    ABSENT,
    BABBLES,
    DIES,
    GREETS,
    GREETS_AND_DIES,
    GREETS_AND_STAYS,
    LONG_S,
    SILENT,
    Ear,
    QuickClock,
    alive,
)

AT_ONCE_S = 0.0


async def refused(model: LocalModel, within_s: float) -> bool:
    """Say whether the model cannot be reached for want of a process."""
    try:
        await model.address(within_s)
    except GatewayError as error:
        return error.kind is TARGET_UNAVAILABLE
    return False


async def test_call_waits_for_a_start_under_way() -> None:
    """Starting returns at once; who needs the model waits until it is there."""
    ear = Ear()
    async with alive(GREETS, QuickClock(), ear) as model:
        absent_at_first = await refused(model, AT_ONCE_S)

        address = await model.address(LONG_S)

    assert absent_at_first
    assert "http://127.0.0.1:1" == address.url
    assert ["ready"] == ear.states


async def test_call_waits_no_longer_than_it_may() -> None:
    """A start that takes too long for a call is a target that cannot be reached."""
    async with alive(SILENT, QuickClock(), Ear()) as model:
        waited_in_vain = await refused(model, 0.05)

    assert waited_in_vain


async def test_closing_ends_the_process() -> None:
    """After closing the process is gone, calls fail without waiting, and no death was reported."""
    ear = Ear()
    model = LocalModel(GREETS, QuickClock(), ear)
    model.start()
    pid = int((await model.address(LONG_S)).key)

    await model.aclose()
    await model.aclose()

    assert not psutil.pid_exists(pid)
    assert await refused(model, LONG_S)
    assert ["ready"] == ear.states


async def test_closing_kills_a_process_that_stays() -> None:
    """A process that does not leave when asked is killed."""
    async with alive(GREETS_AND_STAYS, QuickClock(), Ear()) as model:
        pid = int((await model.address(LONG_S)).key)

    assert not psutil.pid_exists(pid)


async def test_closing_during_a_start_ends_the_process() -> None:
    """A process that is still loading does not survive either."""
    mine = psutil.Process()
    others = mine.children()  # gateways of other tests
    async with alive(SILENT, QuickClock(), Ear()) as model:
        await refused(model, 0.2)
        running = [child for child in mine.children() if child not in others]

    assert 1 == len(running)
    assert not running[0].is_running()


async def test_what_was_never_started_can_be_closed() -> None:
    """Closing is always safe."""
    model = LocalModel(GREETS, QuickClock(), Ear())

    await model.aclose()

    assert await refused(model, AT_ONCE_S)


async def test_dead_process_is_started_again() -> None:
    """A process that is killed is replaced by another, and both changes are told."""
    ear, clock = Ear(), QuickClock()
    async with alive(GREETS, clock, ear) as model:
        first = (await model.address(LONG_S)).key

        os.kill(int(first), signal.SIGKILL)
        await ear.hears("died")
        second = (await model.address(LONG_S)).key

    assert first != second
    assert ["ready", "died", "ready"] == ear.states
    assert [0.5] == clock.slept


@pytest.mark.parametrize("command", [DIES, BABBLES, ABSENT])
async def test_what_never_starts_is_given_up(command: Sequence[str]) -> None:
    """After eight starts in vain, with pauses that double up to half a minute, calls fail without waiting."""
    ear, clock = Ear(), QuickClock()
    async with alive(command, clock, ear) as model:
        gone = await refused(model, LONG_S)

    assert gone
    assert ["died"] * 8 + ["given_up"] == ear.states
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0] == clock.slept


async def test_what_has_served_is_never_given_up() -> None:
    """A process that dies soon but serves is started for ever, with the longest pause in between."""
    ear, clock = Ear(), QuickClock()
    async with alive(GREETS_AND_DIES, clock, ear):
        pauses = await clock.pauses(9)

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == pauses
    assert "given_up" not in ear.states


async def test_long_life_shortens_the_pause() -> None:
    """After a minute of life the next death is met with the shortest pause again."""
    clock = QuickClock(step_s=61.0)
    async with alive(GREETS_AND_DIES, clock, Ear()):
        pauses = await clock.pauses(3)

    assert [0.5, 0.5, 0.5] == pauses


async def test_closing_during_a_pause() -> None:
    """Closing does not wait for the next start."""
    ear = Ear()
    model = LocalModel(DIES, SystemClock(), ear)
    model.start()
    await ear.hears("died")

    await model.aclose()

    assert await refused(model, LONG_S)
