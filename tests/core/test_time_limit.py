"""What a time limit needs; how it bounds calls is proven with the stages that use it."""

from __future__ import annotations

import asyncio

from app.core.time_limit import TimeLimit


async def test_a_time_limit_needs_a_task() -> None:
    """Outside of a task there is nothing to cancel, and that is said at once."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[str] = loop.create_future()

    def enter() -> None:
        try:
            with TimeLimit(0.0):
                said.set_result("entered")
        except RuntimeError as error:
            said.set_result(str(error))

    loop.call_soon(enter)

    assert await said == "a time limit needs a task to cancel"
