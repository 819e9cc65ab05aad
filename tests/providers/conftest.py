"""What tests of the providers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.providers.client import HttpxClient


@pytest.fixture
async def client() -> AsyncIterator[HttpxClient]:
    """Lend a client for real connections and close it."""
    opened = HttpxClient()
    yield opened
    await opened.aclose()
