"""The two neighbours of the edge: an ASGI server that keeps what it is sent, and a gateway made of one handler."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.api.asgi import Message, Scope
from app.api.dialects.chat import ChatDialect
from app.api.hot import Desk, HotRoute
from app.core.call import Call
from app.core.gateway import EdgeOptions, Gateway
from app.core.identity import ANONYMOUS, Caller, Credential
from app.core.pipeline import Handler
from app.core.routing.table import RoutingTable
from app.core.session_manager import SessionBounds, SessionManager
from app.core.signals import Signal
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from tests.support.virtual_time import VirtualClock

BODY = b'{"model":"acme/small","messages":[{"role":"user","content":"hi"}]}'
STREAM = BODY[:-1] + b',"stream":true}'
JSON: Mapping[str, str] = {"content-type": "application/json"}


@dataclass
class Server:
    """
    One request as an ASGI server shows it: its body comes in the given pieces, then nothing until the client leaves.

    Set `left` when the client is gone. While `taking` is not set, the client does not read and `send` waits.
    `leaves_at_end` is the habit of servers to report a client as gone as soon as its answer is complete;
    `more_to_come` says that the end of the body never comes.
    """

    pieces: tuple[bytes, ...] = (BODY,)
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    path: str = "/v1/chat/completions"
    method: str = "POST"
    leaves_at_end: bool = False
    more_to_come: bool = False

    def __post_init__(self) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.taking = asyncio.Event()
        self.taking.set()
        self._unread = list(self.pieces)

    @property
    def scope(self) -> Scope:
        """Return the ASGI scope."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return {
            "type": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "scheme": "http", "method": self.method,
            "root_path": "", "path": self.path, "raw_path": self.path.encode(), "query_string": b"", "headers": headers,
        }  # fmt: skip

    async def receive(self) -> Message:
        """Hand over the next piece of the body, or the news that the client has left."""
        if self._unread:
            piece = self._unread.pop(0)
            return {"type": "http.request", "body": piece, "more_body": self.more_to_come or bool(self._unread)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message."""
        await self.taking.wait()
        self.sent.append(message)
        if self.leaves_at_end and self.complete:
            self.left.set()

    @property
    def complete(self) -> bool:
        """Say whether the answer came to its end."""
        return bool(self.sent) and self.sent[-1]["type"] == "http.response.body" and not self.sent[-1].get("more_body")

    @property
    def status(self) -> int:
        """Return the status that was sent."""
        status: int = self.sent[0]["status"]
        return status

    @property
    def answer_headers(self) -> dict[str, str]:
        """Return the headers that were sent."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """Return the bytes of the body so far."""
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def error(self) -> dict[str, Any]:
        """Return the error object of a refusal."""
        error: dict[str, Any] = msgspec.json.decode(self.body)["error"]
        return error


class Everybody:
    """Lets everybody in, as nobody in particular."""

    async def identify(self, credential: Credential | None, request_id: str = "") -> Caller:  # noqa: ARG002 - the port's
        """Ask nothing."""
        return ANONYMOUS


def no_sessions(clock: VirtualClock) -> SessionManager:
    """Return where there are no sessions yet."""
    store = MemorySessions(StoreLimits(10, 10_000), clock)
    return SessionManager(store, SessionBounds(1000, 60.0, alone=True), clock, bytes, lambda _conversation: None)


class Edge:
    """The hot route with a gateway behind it whose whole pipeline is one handler. `told` lists the signals."""

    def __init__(self, handler: Handler[Call], clock: VirtualClock, edge: EdgeOptions | None = None) -> None:
        options = edge or EdgeOptions(body_max_bytes=10_000, total_s=300.0, keep_alive_s=15.0)
        self.current = Gateway(
            handler, RoutingTable({}, {"acme": ("small",)}), options, "d1", Everybody(), no_sessions(clock)
        )
        self.told: list[Signal] = []
        self.desk = Desk(self, self.told.append, clock)
        self._route = HotRoute(self.desk, ChatDialect())

    async def serve(self, server: Server) -> None:
        """Serve the request."""
        await self._route(server.scope, server.receive, server.send)
