"""What becomes of parameters that get lost: the policies around a codec, and what stays the codec's own."""

from __future__ import annotations

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import UNSUPPORTED_FEATURE, GatewayError
from app.core.model import Operation, PlainRequest
from app.providers.openai.azure import AzureCodec
from app.providers.policies import Strict
from tests.providers.conformance.corpus import asked, request
from tests.providers.conformance.dialects import DIALECTS

GEMINI = next(dialect for dialect in DIALECTS if dialect.name == "gemini")
TARGET = Target("p", "gemini-2.5-flash")


def test_error_refuses_what_would_be_lost() -> None:
    """The first lost parameter is named."""
    with pytest.raises(GatewayError) as caught:
        Strict(GEMINI.codec(), "error").encode(request("user"), TARGET)

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, "user")


def test_pass_sends_what_would_be_lost() -> None:
    """Lost parameters are sent as they are, and are then not lost."""
    found = Strict(GEMINI.codec(), "pass").encode(request("user"), TARGET)

    body = msgspec.json.decode(found.body)
    assert (body["user"], body["metadata"], found.dropped) == ("u-1", {"a": "b"}, ())


@pytest.mark.parametrize("policy", ["error", "pass"])
def test_nothing_else_changes(policy: str) -> None:
    """Requests that lose nothing, other operations, answers, streams and refusals are the codec's own."""
    strict, plain = Strict(GEMINI.codec(), "error" if policy == "error" else "pass"), GEMINI.codec()
    embeddings = PlainRequest(Operation.EMBEDDINGS, "m", b'{"model":"m","input":"a"}')

    assert strict.encode(request("text"), TARGET) == plain.encode(request("text"), TARGET)
    assert strict.encode(embeddings, TARGET) == plain.encode(embeddings, TARGET)
    assert strict.decode(GEMINI.answer("text"), asked()).raw == plain.decode(GEMINI.answer("text"), asked()).raw
    assert strict.error(429, {}, b"", 0.0).kind is plain.error(429, {}, b"", 0.0).kind
    assert strict.decoder(asked(stream=True)).feed(b"") == []


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/openai/v1/chat/completions"),
        ("2024-10-21", "/openai/deployments/a%2Fb/chat/completions?api-version=2024-10-21"),
    ],
)
def test_azure_has_other_addresses(version: str | None, path: str) -> None:
    """The body is OpenAI's, at the deployment's address or at the v1 API."""
    found = AzureCodec(version).encode(request("text"), Target("p", "a/b"))

    assert (found.path, msgspec.json.decode(found.body)["model"]) == (path, "a/b")
