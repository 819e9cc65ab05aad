"""How one finisher is run to its end, whatever happens to the task that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from app.core.errors import TARGET_FAILED, GatewayError
from app.core.model import Completion
from app.core.outcome import FINISHER_LIMIT_S, End, Finisher, Outcome, conclude
from app.core.pipeline import settle
from tests.support.calls import FakeProvider, Witness, a_call, answers
from tests.support.virtual_time import VirtualClock

DONE = Outcome(End.COMPLETED)


@pytest.fixture
def reports() -> Callable[[], list[BaseException]]:
    """Return a way to read what has been reported to the loop's exception handler."""
    found: list[BaseException] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        found.append(context["exception"])

    def read() -> list[BaseException]:
        asyncio.get_running_loop().set_exception_handler(note)
        return found

    return read


async def concluded(finisher: Finisher, outcome: Outcome) -> None:
    """Run a finisher to its end."""
    if (pending := conclude(finisher, outcome)) is not None:
        await pending


async def cancelled(finisher: Finisher, times: int) -> asyncio.Task[None]:
    """Conclude in a task of its own that is cancelled `times` times on its way, and return it when it is done."""
    task = asyncio.create_task(concluded(finisher, DONE))
    await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, End.COMPLETED),
        (asyncio.CancelledError(), End.ABANDONED),
        (GeneratorExit(), End.ABANDONED),
        (GatewayError(TARGET_FAILED, "no"), End.FAILED),
        (TimeoutError(), End.FAILED),
        (KeyboardInterrupt(), End.FAILED),
    ],
)
def test_endings_are_judged(error: BaseException | None, end: End) -> None:
    """No error is a completion, a cancellation blames nobody, everything else is a failure; the error is kept."""
    assert Outcome.of(error) == Outcome(end, error)


@pytest.mark.parametrize("waits_s", [None, 0.0, 0.5])
async def test_a_finisher_is_told_once(waits_s: float | None) -> None:
    """Plain and waiting finishers have taken note when `conclude` returns."""
    witness = Witness(waits_s)

    await concluded(witness, DONE)

    assert witness.told == [DONE]


async def test_a_whole_answer_is_settled_at_once() -> None:
    """The finisher of a whole answer is told of the completion before `settle` returns."""
    witness = Witness(0.5)

    reply = await settle(a_call(), FakeProvider(answers("hello")), witness)

    assert isinstance(reply.body, Completion)
    assert witness.told == [DONE]


async def test_a_finisher_that_raises_is_reported(reports: Callable[[], list[BaseException]]) -> None:
    """A bug in a plain finisher goes to the loop's exception handler and no further."""
    found, bug = reports(), ValueError("bug")

    def finisher(_outcome: Outcome) -> None:
        raise bug

    await concluded(finisher, DONE)

    assert found == [bug]


async def test_a_finisher_that_raises_later_is_reported(reports: Callable[[], list[BaseException]]) -> None:
    """A bug in the waiting part of a finisher goes to the loop's exception handler and no further."""
    found, bug = reports(), ValueError("bug")

    async def finisher(_outcome: Outcome) -> None:
        await asyncio.sleep(0.1)
        raise bug

    await concluded(finisher, DONE)

    assert found == [bug]


async def test_a_finisher_that_hangs_is_given_up(
    clock: VirtualClock, reports: Callable[[], list[BaseException]]
) -> None:
    """After its limit a finisher is cancelled, which is reported, and the call goes on."""
    found, witness, begun = reports(), Witness(3600.0), clock.now()

    await concluded(witness, DONE)

    assert clock.now() - begun == FINISHER_LIMIT_S
    assert [type(error) for error in found] == [TimeoutError]
    assert witness.told == []


async def test_a_finisher_whose_wait_is_cancelled_is_no_cancellation(
    reports: Callable[[], list[BaseException]],
) -> None:
    """When what a finisher waits for is cancelled (a connection that closes), the call itself is not."""
    found = reports()
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()

    async def finisher(_outcome: Outcome) -> None:
        await gone

    await concluded(finisher, DONE)

    assert [type(error) for error in found] == [asyncio.CancelledError]


@pytest.mark.parametrize("times", [1, 2, 20])
async def test_a_finisher_outlasts_cancellations(times: int) -> None:
    """However often the task is cancelled, the finisher comes to its end first; then the task ends cancelled."""
    witness = Witness(0.5)

    task = await cancelled(witness, times)

    assert witness.told == [DONE]
    assert task.cancelled()


async def test_a_finisher_that_hangs_does_not_hold_a_cancelled_task(
    clock: VirtualClock, reports: Callable[[], list[BaseException]]
) -> None:
    """The limit also holds while the task is being cancelled."""
    found, begun = reports(), clock.now()

    task = await cancelled(Witness(3600.0), times=3)

    assert clock.now() - begun == FINISHER_LIMIT_S
    assert [type(error) for error in found] == [TimeoutError]
    assert task.cancelled()


async def test_a_finisher_that_raises_does_not_hide_the_cancellation(
    reports: Callable[[], list[BaseException]],
) -> None:
    """A finisher that fails while the task is being cancelled is reported, and the task still ends cancelled."""
    found, bug = reports(), ValueError("bug")

    async def finisher(_outcome: Outcome) -> None:
        await asyncio.sleep(0.5)
        raise bug

    task = await cancelled(finisher, times=2)

    assert found == [bug]
    assert task.cancelled()


async def test_an_awaitable_need_not_be_a_coroutine() -> None:
    """A finisher may return anything that can be awaited, a future for one."""
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.5, written.set_result, None)

    def finisher(_outcome: Outcome) -> Awaitable[None]:
        return written

    await concluded(finisher, DONE)

    assert written.done()


async def test_a_finisher_outlasts_a_cancelled_anyio_scope() -> None:
    """In a cancelled anyio scope, where every wait is cancelled anew, a finisher still comes to its end."""
    told: list[Outcome] = []

    async def finisher(outcome: Outcome) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        told.append(outcome)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await concluded(finisher, DONE)

    assert told == [DONE]
    assert scope.cancelled_caught
