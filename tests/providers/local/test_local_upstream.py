"""Calls for the built-in model reach its process, and only such calls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from app.core.clock import SystemClock
from app.core.errors import TARGET_MISCONFIGURED, TARGET_MODEL_MISSING, TARGET_UNAVAILABLE, GatewayError
from app.core.ports import HttpRequest, UpstreamReply
from app.providers.local.supervisor import LocalModel
from app.providers.local.upstream import AbsentModel, LocalUpstream
from app.providers.sim import SimUpstream
from tests.providers.local.children import GREETS, LONG_S, SILENT, Ear, QuickClock, alive

HEADERS = (("content-type", "application/json"), ("authorization", "Bearer of the gateway"))


class Postbox:
    """A client that remembers what it was given and lets the scripted provider answer."""

    def __init__(self) -> None:
        self.sent: list[HttpRequest] = []
        self._sim = SimUpstream(SystemClock(), lambda: 0.5)

    async def send(self, request: HttpRequest) -> UpstreamReply:
        """Take note and answer."""
        self.sent.append(request)
        return await self._sim.send(request)


@pytest.fixture
async def model() -> AsyncIterator[LocalModel]:
    """Yield a model whose process greets as the real one does."""
    async with alive(GREETS, QuickClock(), Ear()) as model:
        yield model


def asking(body: bytes, connect_s: float = LONG_S) -> HttpRequest:
    """Return a request to the placeholder origin."""
    return HttpRequest("POST", "http://local/v1/chat/completions", HEADERS, body, connect_s)


async def test_request_goes_to_the_process_with_its_key(model: LocalModel) -> None:
    """Origin and credentials are those of the process; the rest is passed along, on a connection of its own."""
    postbox = Postbox()
    request = asking(msgspec.json.encode({"model": "smollm2", "messages": []}))

    reply = await LocalUpstream(model, postbox).send(request)
    await reply.aclose()

    key = (await model.address(0)).key
    headers = (HEADERS[0], ("authorization", f"Bearer {key}"), ("connection", "close"))
    url = "http://127.0.0.1:1/v1/chat/completions"
    assert [HttpRequest("POST", url, headers, request.body, LONG_S)] == postbox.sent


async def test_unknown_model_is_refused(model: LocalModel) -> None:
    """llama.cpp would answer to any name, so other names are refused before."""
    postbox = Postbox()

    with pytest.raises(GatewayError) as caught:
        await LocalUpstream(model, postbox).send(asking(b'{"model": "gpt-4o", "messages": []}'))

    assert caught.value.kind is TARGET_MODEL_MISSING
    assert [] == postbox.sent


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"model": 1}', b"[" * 10_000])
async def test_what_cannot_be_read_is_passed_along(model: LocalModel, body: bytes) -> None:
    """What is no chat request is for the server to refuse."""
    postbox = Postbox()

    reply = await LocalUpstream(model, postbox).send(asking(body))
    await reply.aclose()

    assert [body] == [request.body for request in postbox.sent]


async def test_call_waits_no_longer_than_for_a_connection() -> None:
    """While the model does not run, a call waits as long as it would for a connection, and fails like one."""
    async with alive(SILENT, QuickClock(), Ear()) as model:
        with pytest.raises(GatewayError) as caught:
            await LocalUpstream(model, Postbox()).send(asking(b"{}", connect_s=0.05))

    assert caught.value.kind is TARGET_UNAVAILABLE
    assert "The local model is not running." == caught.value.message


async def test_absent_model_says_why() -> None:
    """Where the model cannot run, a call for it names the reason."""
    with pytest.raises(GatewayError) as caught:
        await AbsentModel("xllamacpp is not installed").send(asking(b"{}"))

    assert caught.value.kind is TARGET_MISCONFIGURED
    assert "xllamacpp is not installed" in caught.value.message
