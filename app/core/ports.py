"""
Ports to the outside world, as narrow protocols.

Their adapters are in other packages; if a port has several, one contract test suite covers them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from app.core.bodies import Upload
from app.core.call import Target
from app.core.circuits import CircuitPolicy, CircuitView, Force, Ticket, Verdict
from app.core.errors import GatewayError
from app.core.model import Completion, Request, StreamEvent
from app.core.rules import Ask, Decision, Standing
from app.core.tokens import Family

Chance: TypeAlias = Callable[[], float]  # uniform numbers in [0, 1)


class HttpRequest(msgspec.Struct, frozen=True):
    """
    One request to a provider. `headers` are complete except for host and content-length.

    An `upload` is streamed after `body`, at most once.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connect_s: float
    upload: Upload | None = None


class UpstreamReply(Protocol):
    """
    The answer to one request, available once its head is received. Owns its connection until closed.

    Header names are lower-case. The body is as received, with only the transfer coding removed.
    """

    @property
    def status(self) -> int:
        """Return the HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers; a repeated one has its last value, or all of them joined."""

    def rest(self) -> bytes | None:
        """Return the rest of the body if all of it has arrived; None if finding out would need to wait."""

    def chunks(self) -> AsyncIterator[bytes]:
        """
        Iterate over the body as it arrives; once.

        Raises:
            GatewayError: TARGET_UNAVAILABLE when the connection breaks before the body is complete.
        """

    async def aclose(self) -> None:
        """Release the connection if the body was read to its end, else close it. Idempotent."""


class UpstreamClient(Protocol):
    """Sends requests to providers. Never retries, never follows redirects, keeps no cookies."""

    async def send(self, request: HttpRequest) -> UpstreamReply:
        """
        Send `request` and return once the head of the answer is received, whatever its status.

        Cancelling the call closes the connection.

        Raises:
            GatewayError: TIMEOUT_CONNECT, or TARGET_UNAVAILABLE for every other failure of the network.
        """


class Decoder(Protocol):
    """Turns the bytes of one streamed answer into events. Fresh for each attempt; does no I/O."""

    @property
    def done(self) -> bool:
        """Return whether the answer is complete."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """
        Take bytes as they arrive and return the events that are complete.

        Raises:
            GatewayError: The bytes are not a valid answer (BAD_UPSTREAM_REPLY), or hold the provider's error.
        """

    def end(self) -> list[StreamEvent]:
        """
        Signal the end of the input and return the last events.

        Raises:
            GatewayError: TARGET_UNAVAILABLE if the answer is not complete.
        """


class Encoded(msgspec.Struct, frozen=True):
    """
    A request in a provider's dialect.

    `path` is appended to the provider's base URL and may have a query; `headers` are added to the provider's own;
    `dropped` names the parameters left out because the dialect does not support them. An `upload` is sent after `body`.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    method: str = "POST"
    upload: Upload | None = None


class Codec(Protocol):
    """One provider dialect, without I/O."""

    def encode(self, request: Request, target: Target) -> Encoded:
        """
        Return `request` in the provider's dialect.

        Raises:
            GatewayError: UNSUPPORTED_FEATURE for an operation or a part that the provider cannot express.
        """

    def decode(self, body: bytes, request: Request) -> Completion:
        """
        Return the whole answer to `request`.

        Raises:
            GatewayError: BAD_UPSTREAM_REPLY, or an error that was sent with status 200.
        """

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer to `request`."""

    def error(self, status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
        """Return the error for a status of 300 or more; never raises. `wall_s` (wall time) resolves HTTP dates."""


class Signer(Protocol):
    """Adds credentials that a fixed header cannot carry: signatures, tokens that expire."""

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """
        Return the request with its credentials.

        Raises:
            GatewayError: TARGET_MISCONFIGURED if the credentials cannot be obtained.
        """


class Sink(Protocol):
    """The HTTP response that an answer is written to: head, parts, end (or abort), in this order."""

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a complete response."""

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin a streamed response."""

    async def part(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client does not read."""

    async def end(self) -> None:
        """End the body properly."""

    async def abort(self) -> None:
        """Break the connection so that the client cannot take the body for complete."""


class Circuits(Protocol):
    """One circuit for each target, shared by every call of this process and, with Redis, by every replica."""

    def closed(self, target: Target, policy: CircuitPolicy) -> Ticket | None:
        """Let one call through at once if its circuit is known to be closed, the usual case; else None: `admit`."""

    async def admit(self, target: Target, policy: CircuitPolicy, *, last_resort: bool = False) -> Ticket:
        """
        Let one call through, or refuse it; the ticket must come back by `report`.

        A call without another hope (`last_resort`) is refused only by a circuit that an operator opened.

        Raises:
            GatewayError: CIRCUIT_OPEN with the time until another try makes sense, or STATE_UNAVAILABLE where shared
                state is out of reach and the policy for that is to refuse.
        """

    def report(self, ticket: Ticket, verdict: Verdict, least_open_s: float, request_id: str = "") -> None:
        """
        Tell how an admitted call ended; never waits, never raises.

        `least_open_s` is the target's own wish; `request_id` names the call, if its ending should change the circuit.
        """

    async def views(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return every circuit that is known, by name."""

    def glance(self, policy: CircuitPolicy) -> list[CircuitView]:
        """
        Return the same without asking anybody: what this process knows, a few seconds old at most.

        May be called by any thread.
        """

    async def force(self, target: Target, action: Force, policy: CircuitPolicy) -> CircuitView:
        """
        Open a circuit until further notice, or close it (`reset` also forgets how often it opened before).

        Raises:
            GatewayError: STATE_UNAVAILABLE, and nothing changed.
        """


class Limits(Protocol):
    """The buckets of all rate limits, of this process or, with Redis, of every replica."""

    async def acquire(self, ask: Ask) -> Decision:
        """
        Take everything that `ask` names, or nothing; what was taken must be settled.

        Raises:
            GatewayError: STATE_UNAVAILABLE if shared state is unreachable and the policy is to refuse then.
        """

    def settle(self, decision: Decision, tokens: int) -> None:
        """Release slots, and replace the reserved tokens by those used. Never waits, never raises."""

    async def levels(self) -> list[Standing]:
        """Return the levels of the recently used buckets, as far as they are known."""


class Tokenizer(Protocol):
    """Counts tokens exactly, if the vocabulary is available."""

    async def count(self, text: str, family: Family) -> int | None:
        """Return the number of tokens of a text; None if its vocabulary is not available. May take milliseconds."""
