"""How the load generator counts."""

from __future__ import annotations

import asyncio

import pytest

from loadtests import client, messages
from loadtests.client import Connection, Crew, Load
from tests.loadtests.conftest import listening

STREAM = messages.role_frame() + b"".join(messages.token_frame(float(second)) for second in range(4))


class Silent(asyncio.Protocol):
    """Accepts connections and never answers."""


class HangUp(asyncio.Protocol):
    """Closes the connection as soon as something is asked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the signature is asyncio's
        """Close."""
        self._transport.close()


def test_counts_each_token_once_however_the_bytes_are_cut() -> None:
    """
    A stream that arrives in two reads has the same tokens and stamps, wherever the border lies.
    """
    whole = STREAM + messages.closing_frames(4, usage=True)

    for border in range(len(whole) + 1):
        crew = Crew(Load(port=1, model="bench", concurrency=1, duration_s=1.0, tokens=4, clock=lambda: 10.0))
        connection = Connection(crew)
        connection.on_body(whole[:border])
        connection.on_body(whole[border:])

        assert crew.tally.token_s == [10.0, 9.0, 8.0, 7.0]
        assert len(crew.tally.first_token_s) == 1


async def test_counts_unary_answers(mock_port: int) -> None:
    """
    A closed loop over two connections reports complete answers, no errors and no tokens.
    """
    load = Load(port=mock_port, model="bench", concurrency=2, duration_s=0.05)

    tally = await client.run(load)

    assert tally.requests >= 2
    assert tally.tokens == 0
    assert tally.errors == 0


async def test_counts_streams_and_their_tokens(mock_port: int) -> None:
    """
    Every stream adds one answer, one first token and all its chunks.
    """
    load = Load(port=mock_port, model="bench", concurrency=2, duration_s=0.05, tokens=3)

    tally = await client.run(load)

    assert tally.requests >= 2
    assert len(tally.first_token_s) == tally.requests
    assert tally.tokens == 3 * tally.requests
    assert tally.errors == 0


async def test_counts_refusals_as_errors(floor_port: int) -> None:
    """
    An answer with another status than 200 is an error and no answer.
    """
    load = Load(port=floor_port, model="unknown", concurrency=1, duration_s=0.02)

    tally = await client.run(load)

    assert tally.requests == 0
    assert tally.errors >= 1


@pytest.mark.parametrize("server", [Silent, HangUp])
async def test_ends_although_the_server_does_not_answer(server: type[asyncio.Protocol]) -> None:
    """
    Each connection that never gets its answer is one error, and the run ends by itself.
    """
    async with listening(server) as port:
        load = Load(port=port, model="bench", concurrency=3, duration_s=0.02, patience_s=0.05)

        tally = await client.run(load)

    assert tally.requests == 0
    assert tally.errors == 3
