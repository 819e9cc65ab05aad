"""Runs every test of this folder once for each adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.providers.contract.adapters import ADAPTERS, Adapter


@pytest.fixture(params=sorted(ADAPTERS))
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    """Lend an adapter and close it."""
    adapter = ADAPTERS[request.param]()
    yield adapter
    await adapter.aclose()
