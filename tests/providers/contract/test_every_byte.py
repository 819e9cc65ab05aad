"""Answers that break off, or are cut into reads, at every single byte."""

from __future__ import annotations

import pytest

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from tests.providers.contract.adapters import Adapter, call, request
from tests.support.upstream_server import LAST_CHUNK, SSE_HEAD, Act, Received, Step, UpstreamServer, chunk, whole

ANSWERS = {
    "length": whole(b"abc"),
    "chunked": SSE_HEAD + chunk(b"ab") + chunk(b"c") + LAST_CHUNK,
    "announced": b"HTTP/1.1 100 Continue\r\n\r\n" + whole(b"abc"),
}
EACH_ANSWER = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())


async def ending_of(client: Adapter, server: UpstreamServer) -> object:
    """Make an exchange and return the kind of its failure, or else its status and body."""
    try:
        return await call(client, request(server))
    except GatewayError as error:
        return error.kind


@EACH_ANSWER
@pytest.mark.parametrize("end", [Act.CLOSE, Act.HALF_CLOSE, Act.RESET], ids=lambda end: end.value)
async def test_an_answer_that_breaks_at_any_byte_is_no_answer(client: Adapter, answer: bytes, end: Act) -> None:
    """Wherever a connection ends before its answer does, the call fails; a whole answer before the end is good."""
    lengths = range(len(answer) + 1)

    def script(asked: Received) -> list[Step]:
        return [answer[: asked.number], 0.0, end]

    async with UpstreamServer(script) as server:
        endings = [await ending_of(client, server) for _ in lengths]

    assert endings[:-1] == [TARGET_UNAVAILABLE] * len(answer)
    assert endings[-1] == (200, b"abc") or end is Act.RESET


@EACH_ANSWER
async def test_an_answer_may_be_cut_anywhere(client: Adapter, answer: bytes) -> None:
    """An answer in two reads, divided at any byte, is the same answer on the same connection."""
    places = range(1, len(answer))

    def script(asked: Received) -> list[Step]:
        place = asked.number + 1
        return [answer[:place], 0.0, 0.0, answer[place:]]

    async with UpstreamServer(script) as server:
        answers = [await call(client, request(server)) for _ in places]

        assert answers == [(200, b"abc")] * len(places)
        assert len(server.connections) == 1
