"""Asking a provider how it is: whatever it does, there is an answer in words."""

from __future__ import annotations

import pytest

from app.core.clock import SystemClock
from app.providers.client import HttpxClient
from app.providers.discovery import Probed, probe
from tests.providers.contract.adapters import closed_port
from tests.support.upstream_server import Act, Step, UpstreamServer, always, whole

KEY = (("authorization", "Bearer sk-1"),)


class At(SystemClock):
    """A clock that stands at a wall time."""

    def wall(self) -> float:
        """Return noon of the first day of 2026."""
        return 1_767_268_800.0


async def asked(client: HttpxClient, *steps: Step) -> Probed:
    """Ask a provider that answers so."""
    async with UpstreamServer(always(*steps)) as server:
        found = await probe(f"{server.url}/v1", KEY, client, At())
        if server.requests:
            assert server.requests[0].target == "/v1/models"
            assert server.requests[0].header("authorization") == "Bearer sk-1"
        return found


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (b'{"data":[{"id":"a"},{"id":"b"}]}', ("a", "b")),
        (b'{"models":[{"name":"models/gemini"}]}', ("gemini",)),
        (b'{"data":[]}', ()),
        (b"{}", None),
        (b"<html>", None),
        (b"[1]", None),
    ],
)
async def test_models(client: HttpxClient, body: bytes, models: tuple[str, ...] | None) -> None:
    """They are listed as OpenAI does or as Google does; who lists none answers all the same."""
    found = await asked(client, whole(body))

    assert (found.status, found.models, found.reason) == (200, models, "")
    assert found.latency_s > 0


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_refusals(client: HttpxClient, status: int) -> None:
    """A refusal is an answer, with its status."""
    found = await asked(client, whole(b'{"error":{}}', status))

    assert (found.status, found.models) == (status, None)


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0),
        ("Thu, 01 Jan 2026 12:01:40 GMT", 100),
        ("yesterday", None),
        ("Thu, 01 Jan 20266 12:01:40 GMT", None),
    ],
)
async def test_the_clocks_are_compared(client: HttpxClient, date: str, ahead_s: float | None) -> None:
    """The provider's date says how far apart they are; one that is none says nothing."""
    found = await asked(client, whole(b'{"data":[]}', 200, f"date: {date}"))

    assert found.ahead_s == (None if ahead_s is None else pytest.approx(ahead_s, abs=10))


async def test_nobody_there(client: HttpxClient) -> None:
    """A closed port and a broken answer are told in words, without an exception."""
    with closed_port() as url:
        refused = await probe(url, KEY, client, At())
    broken = await asked(client, Act.CLOSE)

    assert (refused.status, broken.status) == (None, None)
    assert refused.reason
    assert broken.reason
