"""Embeddings and reranking through the codecs that have them: what is sent, and what is made of the answer."""

from __future__ import annotations

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    INVALID_REQUEST,
    UNSUPPORTED_FEATURE,
    GatewayError,
    Kind,
)
from app.core.model import Operation, PlainRequest
from tests.providers.conformance.dialects import DIALECTS, FOREIGN, Dialect

COHERE = {"texts": ["a"], "input_type": "search_document", "output_dimension": 8}
_TEXT = {"parts": [{"text": "a"}]}
GEMINI = {"requests": [{"model": "models/gemini-embedding-001", "content": _TEXT, "outputDimensionality": 8}]}


def dialect(name: str) -> Dialect:
    """Return a dialect."""
    return next(given for given in DIALECTS if given.name == name)


def plain(operation: Operation, **fields: object) -> PlainRequest:
    """Return a request that is no chat."""
    return PlainRequest(operation, "m", msgspec.json.encode({"model": "m", **fields}))


@pytest.mark.parametrize(
    ("name", "model", "path", "body"),
    [
        ("bedrock", "amazon.titan-embed", "/model/amazon.titan-embed/invoke", {"inputText": "a", "dimensions": 8}),
        (
            "bedrock", "cohere.embed-v4", "/model/cohere.embed-v4/invoke",
            COHERE,
        ),
        (
            "cohere", "embed-v4.0", "/v2/embed",
            {"model": "embed-v4.0", "embedding_types": ["float"], **COHERE},
        ),
        (
            "gemini", "gemini-embedding-001", "/models/gemini-embedding-001:batchEmbedContents",
            GEMINI,
        ),
        ("ollama", "all-minilm", "/api/embed", {"model": "all-minilm", "input": ["a"], "dimensions": 8}),
    ],
)  # fmt: skip
def test_embeddings_are_asked_for(name: str, model: str, path: str, body: object) -> None:
    """The texts and the dimensions reach each provider in its own form."""
    found = dialect(name).codec().encode(plain(Operation.EMBEDDINGS, input="a", dimensions=8), Target("p", model))

    assert (found.path, msgspec.json.decode(found.body)) == (path, body)


def test_vertex_predicts_embeddings() -> None:
    """Vertex AI has another form for the same."""
    vertex = Dialect("vertex", lambda recorded: [recorded], ".json")
    request_ = plain(Operation.EMBEDDINGS, input=["a", "b"], input_type="retrieval_query")
    answer = vertex.folder("embeddings", "answer.json").read_bytes()

    sent = vertex.codec().encode(request_, Target("p", "text-embedding-005"))
    completion = vertex.codec().decode(answer, request_)

    assert sent.path == "/models/text-embedding-005:predict"
    assert msgspec.json.decode(sent.body)["instances"][0] == {"content": "a", "task_type": "RETRIEVAL_QUERY"}
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 5


def test_bedrocks_cohere_answers_in_two_forms() -> None:
    """Vectors come as a list, or as an object with one for each type of number."""
    for raw in (b'{"embeddings":[[1,2]]}', b'{"embeddings":{"float":[[1,2]]}}'):
        completion = dialect("bedrock").codec().decode(raw, plain(Operation.EMBEDDINGS, input="a"))

        assert msgspec.json.decode(completion.raw)["data"][0]["embedding"] == [1, 2]


@pytest.mark.parametrize("name", ["bedrock", "cohere", "gemini", "ollama"])
@pytest.mark.parametrize("raw", [b"", b"{}", b'{"embeddings":7}', b'{"\xff":1}'])
def test_what_holds_no_embeddings_is_the_providers_fault(name: str, raw: bytes) -> None:
    """As with other answers."""
    with pytest.raises(GatewayError) as caught:
        dialect(name).codec().decode(raw, plain(Operation.EMBEDDINGS, input="a"))

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("name", ["bedrock", "cohere", "gemini", "ollama"])
@pytest.mark.parametrize("given", [[1, 2], [[1]], [], {"a": 1}, 7])
def test_only_texts_can_be_embedded(name: str, given: object) -> None:
    """Tokens could be read by nobody but the maker of their vocabulary."""
    with pytest.raises(GatewayError) as caught:
        dialect(name).codec().encode(plain(Operation.EMBEDDINGS, input=given), Target("p", "amazon.titan-embed-x"))

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, "input")


def test_titan_takes_one_text_and_others_are_not_known() -> None:
    """What cannot be sent is said before it is."""
    codec = dialect("bedrock").codec()

    for model, given, kind in (
        ("amazon.titan-embed-x", ["a", "b"], INVALID_REQUEST),
        ("new", "a", UNSUPPORTED_FEATURE),
    ):
        with pytest.raises(GatewayError) as caught:
            codec.encode(plain(Operation.EMBEDDINGS, input=given), Target("p", model))
        assert caught.value.kind is kind


def test_packed_embeddings_must_be_numbers() -> None:
    """A vector that is none is noticed where it has to be packed."""
    asked = plain(Operation.EMBEDDINGS, input="a", encoding_format="base64")

    with pytest.raises(GatewayError) as caught:
        dialect("ollama").codec().decode(b'{"embeddings":[["a"]]}', asked)

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize(
    ("fields", "raw", "kind"),
    [
        ({"query": 7, "documents": []}, b"", INVALID_REQUEST),
        ({"query": "q", "documents": ["a"]}, b'{"results":[{"index":4,"relevance_score":1}]}', BAD_UPSTREAM_REPLY),
        ({"query": "q", "documents": ["a"]}, b"{}", BAD_UPSTREAM_REPLY),
    ],
)
def test_rerankings_that_are_none(fields: dict[str, object], raw: bytes, kind: Kind) -> None:
    """A wrong request is the caller's fault, a rank of no document the provider's."""
    codec, asked = dialect("cohere").codec(), plain(Operation.RERANK, **fields)

    def exchanged() -> None:
        codec.encode(asked, Target("p", "m"))
        codec.decode(raw, asked)

    with pytest.raises(GatewayError) as caught:
        exchanged()

    assert caught.value.kind is kind


@pytest.mark.parametrize("one", [one for one in FOREIGN if one.name != "openai-responses"], ids=lambda one: one.name)
def test_other_operations_are_refused_by_name(one: Dialect) -> None:
    """An operation that a dialect does not have is refused, so that another target may take it."""
    with pytest.raises(GatewayError) as caught:
        one.codec().encode(plain(Operation.MODERATIONS, input="a"), Target("p", "m"))

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, "moderations")
