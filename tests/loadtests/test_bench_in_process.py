"""The measurements inside one process: that they really do the work whose cost they report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from loadtests import adapter, messages, resilience
from loadtests.gateways import config_file
from loadtests.own_code import CannedUpstream, cpu_us, open_app
from loadtests.yardstick import yardstick_us

Message = MutableMapping[str, Any]


@pytest.mark.parametrize("tokens", [None, 3])
async def test_own_code_answers_through_the_whole_application(tmp_path: Path, tokens: int | None) -> None:
    """
    The application in process gives complete answers, unary and streamed, and logs them.
    """
    upstream, log = CannedUpstream(), BytesIO()
    upstream.answer_unary() if tokens is None else upstream.answer_stream(tokens)

    with open_app(config_file(tmp_path, {}), upstream, log) as app:
        cost_us = await cpu_us(app, messages.chat_request("bench", tokens=tokens), times=2)

    assert cost_us > 0
    assert b'"request_completed"' in log.getvalue()


async def test_own_code_refuses_to_measure_failures() -> None:
    """
    An application that answers something else than a complete 200 has no cost worth knowing.
    """

    async def failing(_scope: Message, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})

    with pytest.raises(AssertionError):
        await cpu_us(failing, b"{}", times=1)


async def test_adapter_calls_the_mock(mock_port: int) -> None:
    """
    The upstream client alone is measured once per round, per request and per streamed event.
    """
    found = await adapter.measure(mock_port, rounds=1)

    assert [len(figures) for figures in (found.request_us, found.stream_us, found.event_us)] == [1, 1, 1]


async def test_yardstick_is_a_time() -> None:
    """
    An empty task takes some CPU time.
    """
    assert await yardstick_us() > 0


async def test_resilience_is_measured_against_a_gateway_without_it(tmp_path: Path) -> None:
    """
    Every kind answers completely, the one without any stage of resilience included, and has a figure.
    """
    found = await resilience.measured(tmp_path, BytesIO(), None, rounds=1)

    assert [*resilience.KINDS, "yardstick"] == list(found)
    assert found["without"] > 0
