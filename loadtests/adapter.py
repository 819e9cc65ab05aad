"""
What the upstream client alone costs: `python -m loadtests.adapter --port MOCK_PORT`, figures as JSON.

The calls of the gateway's own adapter, through its port and in one process, against the mock in another.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import uvloop

from app.core.ports import HttpRequest, UpstreamClient
from app.providers.client import HttpxClient
from loadtests import messages
from loadtests.results import InProcess, OneRound, in_process
from loadtests.yardstick import yardstick_us

_CONCURRENCY: Final = 32
_CALLS: Final = 10
_TOKENS: Final = 100
_CONNECT_S: Final = 5.0


async def measure(port: int, rounds: int) -> InProcess:
    """Measure `rounds` times after one round to warm up."""
    client = HttpxClient()
    try:
        found = [await _round(client, port) for _ in range(rounds + 1)]
    finally:
        await client.aclose()
    return in_process(found[1:])


async def _round(client: UpstreamClient, port: int) -> OneRound:
    yardstick = await yardstick_us()
    unary_us = await _cpu_us(client, _request(port, None), _CALLS)
    stream_us = await _cpu_us(client, _request(port, 1), _CALLS)
    long_us = await _cpu_us(client, _request(port, 1 + _TOKENS), 1)
    return unary_us, stream_us, (long_us - stream_us) / _TOKENS, yardstick


async def _cpu_us(client: UpstreamClient, request: HttpRequest, calls: int) -> float:
    """Make `calls` calls on each of 32 lines and return the CPU µs that one took."""
    began_s = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONCURRENCY):
            group.create_task(_line(client, request, calls))
    return (time.process_time() - began_s) / (calls * _CONCURRENCY) * 1e6


async def _line(client: UpstreamClient, request: HttpRequest, calls: int) -> None:
    for _ in range(calls):
        reply = await client.send(request)
        async for _data in reply.chunks():
            pass
        await reply.aclose()


def _request(port: int, tokens: int | None) -> HttpRequest:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = messages.chat_request("mock-small", tokens=tokens)
    return HttpRequest("POST", url, (("content-type", "application/json"),), body, _CONNECT_S)


def main(arguments: Sequence[str]) -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="loadtests.adapter", description="CPU of the upstream client alone.")
    parser.add_argument("--port", type=int, required=True, help="where the mock listens")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    found = uvloop.run(measure(options.port, options.rounds))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
