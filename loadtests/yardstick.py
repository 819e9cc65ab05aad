"""
How fast this machine is at this moment: the CPU time of a task that does nothing.

CPU time is not work: on a shared core, beside a busy sibling thread, the same code takes two or three times as many
µs. A figure taken in the same moment as the yardstick can be compared with one taken in a quieter one.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

QUIET_US: Final = 2.83
"""The yardstick on the machine of the budgets with nothing else running (Python 3.11 and 3.12 are equal in it)."""

_TASKS: Final = 5000


async def yardstick_us() -> float:
    """Create and await empty tasks, and return the CPU µs of one."""
    loop = asyncio.get_running_loop()
    began_s = time.process_time()
    for _ in range(_TASKS):
        await loop.create_task(_nothing())
    return (time.process_time() - began_s) / _TASKS * 1e6


async def _nothing() -> None:
    pass
