"""The interface between a hot route and the wire format of its clients: read requests, write answers and refusals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from app.api.errors import error_response
from app.api.headers import Headers as AnswerHeaders
from app.api.inbound import Headers, require_json
from app.api.request_options import RequestOptions
from app.core.call import Call, Journal
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.model import Completion, Request
from app.core.stream import Batch


class Style(Protocol):
    """Writes one answer. Created for each call."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Return the response headers that are specific to this dialect."""
        ...

    def whole(self, completion: Completion) -> bytes:
        """Return the body of a whole answer."""
        ...

    def part(self, batch: Batch) -> bytes:
        """Return the bytes of a batch of events; may be empty."""
        ...

    def failure(self, error: GatewayError) -> bytes:
        """Return the last event of a stream that failed after it had begun."""
        ...


class Dialect(ABC):
    """The wire format of one endpoint: JSON and OpenAI's errors, unless overridden. Stateless between calls."""

    endpoint: str  # its name in logs and metrics

    def require(self, headers: Headers) -> None:
        """
        Refuse a body of the wrong type, before it is read.

        Raises:
            GatewayError: UNSUPPORTED_MEDIA_TYPE.
        """
        require_json(headers)

    @abstractmethod
    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:
        """
        Return the request in its canonical form, and the options that its body sets.

        Raises:
            GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
        """

    @abstractmethod
    def style(self, call: Call, clock: Clock) -> Style:
        """Return the style that writes the answer to `call`."""

    def refusal(
        self, error: GatewayError, request_id: str, journal: Journal | None
    ) -> tuple[int, AnswerHeaders, bytes]:
        """Return status, headers and body of an error response."""
        return error_response(error, request_id, journal)
