"""`wizard bench` asks as it is told to, and counts what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml

from app.cli import main
from app.cli.bench.figures import figures
from app.cli.bench.load import Tally
from tests.cli.conftest import Write
from tests.support.gateway import GatewayProcess, Start, running
from tests.support.upstream_server import UpstreamServer, always, in_turn, streamed, whole

Capture = pytest.CaptureFixture[str]
EVENTS = (
    b"garbage\n\ndata: not json\n\n",
    b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n',
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway with nothing but the scripted provider."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as process:
        yield process


def told(capsys: Capture) -> Any:  # noqa: ANN401 - JSON
    """Return the figures that were printed."""
    return msgspec.json.decode(capsys.readouterr().out)


@pytest.mark.parametrize("flags", [(), ("--stream",)])
def test_a_number_of_requests(gateway: GatewayProcess, capsys: Capture, flags: tuple[str, ...]) -> None:
    """So many are sent, no more; streams have first tokens and events, and the gateway tells its own share."""
    code = main(["bench", "--url", f"{gateway.url}/v1/", "-n", "40", "-c", "7", "--json", "--max-tokens", "5", *flags])

    found = told(capsys)
    assert (code, found["requests"], found["failed"], found["failures"]) == (0, 40, 0, {})
    assert found["latency_ms"]["min"] <= found["latency_ms"]["p50"] <= found["latency_ms"]["max"]
    assert (found["first_token_ms"] is not None, found["events_per_s"] > 0) == (bool(flags), bool(flags))
    assert found["overhead_ms"]["p50"] > 0


def test_a_length_of_time(gateway: GatewayProcess, write: Write, capsys: Capture) -> None:
    """Without an address the gateway of the configuration is asked; people get a table."""
    name = write(yaml.safe_dump({"server": {"port": gateway.port}}))

    code = main(["bench", "--config", name, "--duration", "0.2s", "--stream"])

    text = capsys.readouterr().out
    assert code == 0
    for words in ("good answers in", "events a second", "whole answer", "first token", "gateway's own", "p99"):
        assert words in text


async def test_failures_are_counted_by_cause(capsys: Capture) -> None:
    """A status, and a connection that breaks: each is told, and the exit code is 1."""
    good, bad = whole(b'{"choices":[]}'), whole(b"{}", 500)
    async with UpstreamServer(in_turn([good], [bad], [b"HTTP/1.1 nonsense"], [good])) as server:
        arguments = ["bench", "--url", f"{server.url}/v1", "-n", "4", "-c", "1", "--key", "sk-canary"]
        code = await asyncio.to_thread(main, arguments)

    text = capsys.readouterr().out
    assert code == 1
    assert text.startswith("2 good answers")
    assert "1 failed: status 500" in text
    assert server.requests[0].header("authorization") == "Bearer sk-canary"


async def test_a_stream_without_its_last_event_is_incomplete(capsys: Capture) -> None:
    """It ended, but nobody said that it was complete; the first event that says something is its first token."""
    complete, cut = streamed(*EVENTS, b"data: [DONE]\n\n"), streamed(*EVENTS)
    async with UpstreamServer(in_turn(complete, cut)) as server:
        arguments = ["bench", "--url", f"{server.url}/v1", "-n", "2", "-c", "1", "--stream", "--json"]
        code = await asyncio.to_thread(main, arguments)

    found = told(capsys)
    assert (code, found["requests"], found["failures"]) == (1, 1, {"incomplete": 1})
    assert found["first_token_ms"] is not None


async def test_nobody_answers_well(capsys: Capture) -> None:
    """Without a single good answer there are no figures, only the causes and what to look at."""
    async with UpstreamServer(always(whole(b"{}", 404))) as server:
        code = await asyncio.to_thread(main, ["bench", "--url", f"{server.url}/v1", "-n", "2"])

    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    assert "status 404" in printed.err
    assert "--model" in printed.err


@pytest.mark.parametrize(
    "flags", [("--duration", "soon"), ("-n", "0"), ("-c", "many"), ("-n", "1", "--duration", "1s")]
)
def test_flags_that_make_no_sense(capsys: Capture, flags: tuple[str, ...]) -> None:
    """They are refused with the reason; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["bench", *flags])

    assert ended.value.code == 2
    assert flags[-2] in capsys.readouterr().err


def test_quantiles_are_values_that_were_seen() -> None:
    """The nearest rank, not a value between two; minutes are counted as they are."""
    tally = Tally(latency_s=[number / 1000 for number in range(100, 0, -1)], elapsed_s=2.0)

    found = figures(tally)

    assert found.latency_ms is not None
    assert msgspec.structs.astuple(found.latency_ms) == pytest.approx((1, 50, 90, 95, 99, 100))
    assert (found.requests_per_s, found.first_token_ms) == (50, None)
