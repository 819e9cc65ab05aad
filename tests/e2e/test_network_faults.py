"""
What the network does to a provider's answers, done by a proxy between the running gateway and a provider that is well.

Whatever happens to the bytes: a caller gets a whole true answer or an error, never half of an answer as if it were one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.e2e.support.answers import STREAM, WHOLE, streamed, whole
from tests.e2e.support.upstream import Upstream
from tests.support.fault_proxy import NO_FAULT, Ending, Fault, FaultProxy
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE_S = 3.0  # a busy machine must not look like a silent provider
SPARE = {"provider": "sim", "model": "echo"}
BROKEN = [Ending.RESET, Ending.HALF_CLOSE, Ending.GARBAGE]
STEP_BYTES = 23  # no divisor of anything in the answers
TAIL_BYTES = len(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")  # once `[DONE]` is there, nothing is missing any more
CODES = {
    Ending.RESET: {"target_unavailable"},
    Ending.HALF_CLOSE: {"target_unavailable"},
    Ending.GARBAGE: {"target_unavailable", "bad_upstream_reply"},
}


def configuration(proxy: FaultProxy) -> dict[str, Any]:
    """Return that of a gateway which tries nothing twice at the same target, and gives up soon."""
    box = {"kind": "openai", "base_url": f"http://127.0.0.1:{proxy.port}/v1"}
    return {
        "providers": {"sim": {"kind": "sim"}, "box": box},
        "models": {
            name: {"targets": [{"provider": "box", "model": name}, SPARE]} for name in ("through-whole", "through-flow")
        },
        "timeouts": {"first_token_s": PATIENCE_S, "idle_s": PATIENCE_S, "total_s": PATIENCE_S + 2},
        "retry": {"max_attempts": 1},
        "circuit_breaker": {"enabled": False},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(upstream: Upstream) -> AsyncIterator[FaultProxy]:
    """Put the proxy in front of a provider that answers well."""
    upstream.on("through-whole", whole())
    upstream.on("through-flow", streamed())
    async with FaultProxy(int(upstream.url.split(":")[2].split("/")[0])) as between:
        yield between


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def through(proxy: FaultProxy) -> AsyncIterator[GatewayProcess]:
    """Run a gateway whose provider is behind the proxy."""
    with running(Start(configuration(proxy))) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def client(through: GatewayProcess, proxy: FaultProxy) -> AsyncIterator[Asking]:
    """Ask it; afterwards the network is well again."""
    async with httpx2.AsyncClient(base_url=through.url, **LOCAL) as http:
        yield Asking(http, proxy)
    proxy.fault = NO_FAULT


class Asking:
    """Asks the gateway, with a connection to the provider that is opened under the fault of the moment."""

    def __init__(self, http: httpx2.AsyncClient, proxy: FaultProxy) -> None:
        self._http = http
        self._proxy = proxy

    async def ask(self, model: str, fault: Fault, **headers: str) -> Heard:
        """Ask once and return all that came."""
        self._proxy.fault = fault
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": model.endswith("flow")}
        came = b""
        request = self._http.build_request("POST", "/v1/chat/completions", json=body, headers=headers)
        answer = await self._http.send(request, stream=True)
        try:
            async for piece in answer.aiter_raw():
                came += piece
        except httpx2.RemoteProtocolError:
            return Heard(answer, came, cut=True)
        finally:
            await answer.aclose()
        return Heard(answer, came, cut=False)

    async def lose_connections(self) -> None:
        """Let the gateway keep no connection that was opened under another fault."""
        await self.ask("box/through-whole", NO_FAULT)
        await self._proxy.drop()


class Heard:
    """What a caller got: the head, the bytes, and whether the end was missing."""

    def __init__(self, answer: httpx2.Response, body: bytes, *, cut: bool) -> None:
        self.answer, self.body, self.cut = answer, body, cut

    @property
    def code(self) -> str:
        """Return the code of the error; empty if there is none."""
        if b'"code":"' not in self.body:
            return ""
        return self.body.split(b'"code":"')[1].split(b'"')[0].decode()

    @property
    def from_spare(self) -> bool:
        """Say whether the second target answered."""
        return self.answer.headers.get("x-wizard-fallback") == "1"


async def test_without_a_fault_bytes_pass_untouched(client: Asking) -> None:
    """The proxy itself does nothing."""
    unary, flow = await client.ask("box/through-whole", NO_FAULT), await client.ask("box/through-flow", NO_FAULT)

    assert (unary.body, unary.cut) == (WHOLE, False)
    assert (flow.body, flow.cut) == (STREAM, False)


async def test_a_slow_network_is_waited_for(client: Asking, proxy: FaultProxy) -> None:
    """Latency within the timeouts makes an answer late, not wrong."""
    await client.lose_connections()

    answers = [await client.ask(f"box/through-{kind}", Fault(latency_s=0.1)) for kind in ("whole", "flow")]

    assert [answer.answer.status_code for answer in answers] == [200, 200]
    assert [answer.body for answer in answers] == [WHOLE, STREAM]
    assert proxy.passed[-1].answer


@pytest.mark.parametrize("ending", BROKEN)
@pytest.mark.parametrize("kind", ["whole", "flow"])
async def test_an_answer_that_breaks_anywhere_is_never_taken_for_a_whole_one(
    client: Asking, proxy: FaultProxy, kind: str, ending: Ending
) -> None:
    """At every so many bytes of the head and the body: an error of the target, or a stream that visibly breaks."""
    await client.lose_connections()
    size = await answer_bytes(client, proxy, kind)
    await client.lose_connections()

    statuses = set()

    for after in range(0, size - TAIL_BYTES, STEP_BYTES):
        heard = await client.ask(f"box/through-{kind}", Fault(after=after, ending=ending))

        statuses.add(heard.answer.status_code)
        if heard.answer.status_code == 200:
            assert (heard.cut, heard.code) == (True, "stream_broken"), f"after {after} bytes"
            assert b"[DONE]" not in heard.body
        else:
            assert heard.code in CODES[ending], f"after {after} bytes"
    assert statuses == ({502} if kind == "whole" else {502, 200})


@pytest.mark.parametrize("ending", BROKEN)
@pytest.mark.parametrize("kind", ["whole", "flow"])
async def test_another_target_answers_instead(client: Asking, ending: Ending, kind: str) -> None:
    """As long as nothing was said to the caller, an answer that breaks moves the call on."""
    await client.lose_connections()

    for after in (0, 7, 40):
        heard = await client.ask(f"through-{kind}", Fault(after=after, ending=ending))

        assert (heard.answer.status_code, heard.from_spare, heard.cut) == (200, True, False)


@pytest.mark.parametrize(
    ("kind", "after", "code"),
    [
        ("whole", 0, "timeout_total"),
        ("whole", 150, "timeout_idle"),
        ("flow", 0, "timeout_first_token"),
        ("flow", 40, "timeout_first_token"),
    ],
)
async def test_silence_ends_with_the_timeout_that_it_met(client: Asking, kind: str, after: int, code: str) -> None:
    """A 504 says which one."""
    await client.lose_connections()

    heard = await client.ask(f"box/through-{kind}", Fault(after=after, ending=Ending.STALL))

    assert (heard.answer.status_code, heard.code) == (504, code)


async def test_a_stream_that_falls_silent_is_broken(client: Asking, proxy: FaultProxy) -> None:
    """Behind the commit it cannot become an error of its own; it is no whole answer either."""
    await client.lose_connections()
    size = await answer_bytes(client, proxy, "flow")
    await client.lose_connections()

    heard = await client.ask("box/through-flow", Fault(after=size - 30, ending=Ending.STALL))

    assert (heard.answer.status_code, heard.cut) == (200, True)
    assert b"two" in heard.body
    assert b"[DONE]" not in heard.body
    assert heard.code in {"timeout_idle", "stream_broken"}


async def test_many_callers_meet_the_fault_at_once(client: Asking) -> None:
    """Each gets the other target's answer, and the next one the first target's again once the network is well."""
    await client.lose_connections()

    met = await asyncio.gather(*(client.ask("through-flow", Fault(after=40, ending=Ending.RESET)) for _ in range(40)))
    after = await client.ask("through-flow", NO_FAULT)

    assert {(heard.answer.status_code, heard.from_spare) for heard in met} == {(200, True)}
    assert (after.body, after.from_spare) == (STREAM, False)


async def answer_bytes(client: Asking, proxy: FaultProxy, kind: str) -> int:
    """Return how long the provider's answer is, with its head."""
    before = len(proxy.passed)
    await client.ask(f"box/through-{kind}", NO_FAULT)
    return sum(len(piece.data) for piece in proxy.passed[before:] if piece.answer)
