"""Getting one document from an address of the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_FAILED, GatewayError
from app.core.ports import HttpRequest
from app.providers.fetch import DOCUMENT_MAX_BYTES, fetch


class Document:
    """The answer of a server."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int, chunks: list[bytes]) -> None:
        self.status = status
        self._chunks = chunks
        self.closed = False

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


class Server:
    """A client of one server, with one answer."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> Document:
        """Answer."""
        self.asked.append(request)
        return self._document


async def test_a_document_comes_whole() -> None:
    """In one piece, asked for without any secret, and its connection is given back."""
    document = Document(200, [b"ab", b"c"])
    server = Server(document)

    found = await fetch(server, "https://issuer.example/keys")

    (request,) = server.asked
    assert (found, document.closed) == (b"abc", True)
    assert (request.method, request.url, request.body) == ("GET", "https://issuer.example/keys", b"")


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (Document(302, []), TARGET_FAILED),
        (Document(500, [b"ab"]), TARGET_FAILED),
        (Document(200, [b"x" * DOCUMENT_MAX_BYTES, b"x"]), BAD_UPSTREAM_REPLY),
    ],
    ids=["elsewhere", "a failure", "too large"],
)
async def test_what_is_no_document(document: Document, kind: object) -> None:
    """Another place, a failure and more than anybody publishes are failures; the connection is given back."""
    with pytest.raises(GatewayError) as caught:
        await fetch(Server(document), "https://issuer.example/keys")

    assert (caught.value.kind, document.closed) == (kind, True)
