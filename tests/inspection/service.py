"""A service that is asked about content, as a client of the gateway reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.ports import HttpRequest
from app.inspection.hook import HookOptions, HttpHook
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from tests.support.virtual_time import VirtualClock

Answer = Callable[[Any], object]  # what a question is answered with; bytes as they are


class ServiceReply:
    """One answer in two pieces; `closed` says that it was given back."""

    headers: Mapping[str, str] = {"content-type": "application/json"}

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body
        self.closed = False

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self._body[:1]
        yield self._body[1:]

    async def aclose(self) -> None:
        """Take note."""
        self.closed = True


class Service:
    """An `UpstreamClient` that answers by a function; `asked` are its questions, `down` breaks the connection."""

    def __init__(self, answer: Answer, *, status: int = 200, after_s: float = 0.0) -> None:
        self.answer = answer
        self.status = status
        self.after_s = after_s
        self.down = False
        self.asked: list[HttpRequest] = []
        self.replies: list[ServiceReply] = []

    @property
    def questions(self) -> list[Any]:
        """Return what was asked."""
        return [msgspec.json.decode(request.body) for request in self.asked]

    async def send(self, request: HttpRequest) -> ServiceReply:
        """Answer."""
        self.asked.append(request)
        await asyncio.sleep(self.after_s)
        if self.down:
            raise GatewayError(TARGET_UNAVAILABLE, "no connection")
        found = self.answer(msgspec.json.decode(request.body))
        reply = ServiceReply(self.status, found if isinstance(found, bytes) else msgspec.json.encode(found))
        self.replies.append(reply)
        return reply


def hook_to(service: Service, clock: VirtualClock, *, fail_open: bool = False, key: str = "") -> HttpHook:
    """Return a hook to a service, with a circuit of its own."""
    headers = (("authorization", f"Bearer {key}"),) if key else ()
    circuits = LocalCircuits(Means(clock, lambda: 0.5, Announcer(lambda _signal: None)))
    return HttpHook(HookOptions("judge", "http://judge/ask", 1.0, fail_open, headers), service, circuits)
