"""The operations that are no chat, at the edge: what is read of their bodies, and which bodies are refused."""

from __future__ import annotations

import msgspec
import pytest

from app.api.dialects.plain import plain_dialects
from app.api.hot import Arrival
from app.api.moderations import ModerationsRoute
from app.core.errors import FORBIDDEN, INVALID_JSON, INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, GatewayError, Kind
from app.core.identity import ANONYMOUS
from app.core.model import Operation, PlainRequest
from tests.api.support import Edge
from tests.support.calls import FakeProvider
from tests.support.virtual_time import VirtualClock

JSON = {b"content-type": b"application/json"}
FORM = {b"content-type": b"multipart/form-data; boundary=xyz", b"host": b"gateway:8080"}
FORM_BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nNames: Ada\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\xff\r\n--xyz--\r\n'
)


def read(path: str, body: bytes, headers: dict[bytes, bytes] | None = None) -> PlainRequest:
    """Read a body as the route at `path` does."""
    request, _ = plain_dialects()[f"/v1/{path}"].read(body, headers or JSON)
    assert isinstance(request, PlainRequest)
    return request


@pytest.mark.parametrize(
    ("path", "fields", "operation", "text"),
    [
        ("embeddings", {"input": "a"}, Operation.EMBEDDINGS, ("a",)),
        ("embeddings", {"input": ["a", "b"]}, Operation.EMBEDDINGS, ("a", "b")),
        ("embeddings", {"input": [1, 2]}, Operation.EMBEDDINGS, ()),
        ("embeddings", {"input": [[1], [2]]}, Operation.EMBEDDINGS, ()),
        ("embeddings", {"input": {"odd": 1}}, Operation.EMBEDDINGS, ("",)),
        ("embeddings", {"input": [[["odd"]]]}, Operation.EMBEDDINGS, ()),
        ("embeddings", {"input": 7}, Operation.EMBEDDINGS, ()),
        ("completions", {"prompt": "a"}, Operation.COMPLETIONS, ("a",)),
        ("moderations", {"input": [{"type": "text", "text": "a"}]}, Operation.MODERATIONS, ("a",)),
        ("rerank", {"query": "q", "documents": ["d", {"text": "e"}]}, Operation.RERANK, ("q", "d", "e")),
        ("images/generations", {"prompt": "a"}, Operation.IMAGES, ("a",)),
        ("audio/speech", {"input": "a"}, Operation.SPEECH, ("a",)),
    ],
)
def test_reads_the_model_and_the_prose(
    path: str, fields: dict[str, object], operation: Operation, text: tuple[str, ...]
) -> None:
    """Of a body the operation, the model and the texts are known, and the body stays as it is."""
    body = msgspec.json.encode({"model": "m", "user": "u", "future": 1, **fields})

    request = read(path, body)

    assert (request.operation, request.model, request.text, request.path) == (operation, "m", text, path)
    assert (request.raw, request.user, request.media_type) == (body, "u", "application/json")


def test_reads_a_form() -> None:
    """Of a form the model, the prompt and the wish for a stream are known."""
    request = read("audio/transcriptions", FORM_BODY, FORM)

    assert (request.model, request.text, request.stream) == ("whisper", ("Names: Ada",), True)
    assert (request.raw, request.media_type) == (FORM_BODY, "multipart/form-data; boundary=xyz")


@pytest.mark.parametrize("body", [b'{"input":"a"}', b'{"input":"a","model":null}', b"{}", b"7", b"{"])
def test_says_what_to_do_where_nobody_moderates_unasked(body: bytes, clock: VirtualClock) -> None:
    """A moderation without a model is refused with advice where there is none to choose; broken bodies as ever."""
    edge = Edge(FakeProvider(), clock)
    route = ModerationsRoute(edge.desk, plain_dialects()["/v1/moderations"])

    with pytest.raises(GatewayError) as refused:
        route.call(Arrival("r", JSON, None, ANONYMOUS), body, edge.current.edge)

    if body.startswith(b"{") and body.endswith(b"}"):
        assert (refused.value.kind, refused.value.param) == (INVALID_REQUEST, "model")
        assert "omni-moderation-latest" in refused.value.suggestion
    else:
        assert refused.value.kind in {INVALID_JSON, INVALID_REQUEST}


@pytest.mark.parametrize(
    ("path", "asked", "stream"),
    [
        ("completions", True, True),
        ("completions", False, False),
        ("images/generations", True, True),
        ("audio/speech", False, True),
        ("embeddings", True, False),
        ("moderations", True, False),
        ("rerank", True, False),
    ],
)
def test_knows_what_is_streamed(path: str, *, asked: bool, stream: bool) -> None:
    """A stream is one where the body says so and there are streams; speech always is."""
    body = msgspec.json.encode({"model": "m", "input": "a", "prompt": "a", "stream": asked})

    assert read(path, body).stream is stream


@pytest.mark.parametrize(
    ("path", "body", "headers", "kind", "param"),
    [
        ("embeddings", b"{}", JSON, INVALID_REQUEST, "model"),
        ("embeddings", b'{"model":7}', JSON, INVALID_REQUEST, "model"),
        ("embeddings", b'{"model":', JSON, INVALID_JSON, None),
        ("embeddings", b'{"model":"m","input":"\xff"}', JSON, INVALID_JSON, None),
        ("audio/transcriptions", b"--xyz--", FORM, INVALID_REQUEST, "model"),
        ("audio/transcriptions", b"", FORM, INVALID_REQUEST, None),
    ],
)
def test_refuses_bodies(path: str, body: bytes, headers: dict[bytes, bytes], kind: Kind, param: str | None) -> None:
    """A body without a model, or that is no body of that type, is refused by name."""
    with pytest.raises(GatewayError) as caught:
        read(path, body, headers)

    assert (caught.value.kind, caught.value.param) == (kind, param)


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        ("embeddings", FORM, UNSUPPORTED_MEDIA_TYPE),
        ("audio/transcriptions", {b"content-type": b"text/plain"}, UNSUPPORTED_MEDIA_TYPE),
        ("audio/transcriptions", {**FORM, b"content-encoding": b"gzip"}, UNSUPPORTED_MEDIA_TYPE),
        ("audio/transcriptions", {**FORM, b"origin": b"https://evil.example"}, FORBIDDEN),
    ],
)
def test_refuses_types(path: str, headers: dict[bytes, bytes], kind: Kind) -> None:
    """Only JSON, and forms where there are files; no page of another origin may send a form in its reader's name."""
    with pytest.raises(GatewayError) as caught:
        plain_dialects()[f"/v1/{path}"].require(headers)

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("embeddings", JSON),
        ("images/edits", JSON),
        ("images/edits", FORM),
        ("images/edits", {**FORM, b"origin": b"http://gateway:8080"}),
        ("images/edits", {**FORM, b"origin": b"https://app.example", b"authorization": b"Bearer k"}),
    ],
)
def test_takes_types(path: str, headers: dict[bytes, bytes]) -> None:
    """The gateway's own page may send forms, and whoever has a key."""
    plain_dialects()[f"/v1/{path}"].require(headers)
