"""Everything here runs on virtual time."""

from __future__ import annotations

from tests.support.virtual_time import clock, pytest_asyncio_loop_factories

__all__ = ["clock", "pytest_asyncio_loop_factories"]
