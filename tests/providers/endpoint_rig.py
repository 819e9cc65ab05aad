"""An endpoint over the real client, aimed at a scripted server, and what can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from app.core.call import Attempt, Call, Target
from app.core.clock import SystemClock
from app.core.errors import GatewayError
from app.core.model import Completion, StreamEvent, Weight
from app.core.ports import UpstreamClient
from app.core.stream import CommitRule, EventStream
from app.providers.endpoint import Endpoint, Provider, ReadingOptions
from app.providers.openai.codec import OpenAiCodec
from tests.support.calls import a_call, chat_request

ASK = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
ASK_STREAM = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
HELLO = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
KEY = "sk-CANARY-0123456789"
PROVIDER_HEADERS = (
    ("content-type", "application/json"),
    ("accept-encoding", "identity"),
    ("user-agent", "wizard/0"),
    ("authorization", f"Bearer {KEY}"),
)


class Rig(msgspec.Struct, frozen=True):
    """An endpoint named `acme` whose provider is at `url`."""

    client: UpstreamClient
    url: str
    idle_s: float = 30.0
    connect_s: float = 60.0  # a busy machine is no failure

    async def whole(self, asked: Attempt | None = None) -> Completion:
        """Send an attempt whose answer must be whole."""
        body = (await self.endpoint()(asked or attempt())).body
        assert isinstance(body, Completion)
        return body

    async def stream(self, asked: Attempt | None = None) -> EventStream:
        """Send an attempt whose answer must be a stream."""
        body = (await self.endpoint()(asked or attempt(ASK_STREAM))).body
        assert isinstance(body, EventStream)
        return body

    async def failure(self, asked: Attempt | None = None) -> GatewayError:
        """Send an attempt that must fail before its commit point."""
        with pytest.raises(GatewayError) as caught:
            await self.endpoint()(asked or attempt())
        return caught.value

    def endpoint(self) -> Endpoint:
        """Return the endpoint."""
        provider = Provider("acme", self.url + "/v1", PROVIDER_HEADERS, OpenAiCodec(), self.client)
        return Endpoint(
            provider, ReadingOptions(self.connect_s, self.idle_s, CommitRule(Weight.THOUGHT, 65_536)), SystemClock()
        )


def attempt(
    raw: bytes = ASK, model: str = "m", *, total_s: float = 60.0, headers: Mapping[str, str] | None = None
) -> Attempt:
    """Return an attempt to have `raw` answered by the provider's `model`; `headers` are those to be forwarded."""
    call: Call = a_call(chat_request(raw), started=SystemClock().now(), total_s=total_s)
    return Attempt(
        msgspec.structs.replace(call, headers=tuple((headers or {}).items())), Target("acme", model), last=True
    )


async def events_of(stream: EventStream) -> list[StreamEvent]:
    """Read a stream to its end."""
    return [event async for batch in stream for event in batch]


async def broken(stream: EventStream) -> tuple[list[StreamEvent], GatewayError]:
    """Read a stream that must break, and return what came before and the failure."""
    events: list[StreamEvent] = []
    try:
        async for batch in stream:
            events += batch
    except GatewayError as error:
        return events, error
    pytest.fail("the stream came to its end")


async def cancelled(task: asyncio.Task[Any]) -> bool:
    """Cancel a task and say whether it ended by that."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()
