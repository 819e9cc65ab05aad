"""Embeddings: the canonical request to `batchEmbedContents`, or to Vertex AI's `predict`, and its answer back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.dialects.absent import given_in
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Completion, PlainRequest
from app.providers.canonical.decoding import heard
from app.providers.canonical.vectors import embeddings, read_embeddings
from app.providers.gemini.messages import NAME
from app.providers.gemini.wire import WHOSE, Wire


class _Usage(Wire, frozen=True):
    prompt_token_count: int | None = None


class _Statistics(msgspec.Struct, frozen=True):
    token_count: float = 0


class _Vector(msgspec.Struct, frozen=True):
    values: msgspec.Raw
    statistics: _Statistics = _Statistics()


class _Predicted(msgspec.Struct, frozen=True):
    embeddings: _Vector


class _Answer(Wire, frozen=True):
    embeddings: Sequence[_Vector] = ()
    predictions: Sequence[_Predicted] = ()
    usage_metadata: _Usage = _Usage()


def encode_embeddings(request: PlainRequest, model: str, *, vertex: bool) -> bytes:
    """Return the body for all texts at once."""
    asked = read_embeddings(request)
    task = None if asked.input_type is None else asked.input_type.upper()
    texts = asked.texts(NAME)
    if vertex:
        instances = [given_in({"content": text, "task_type": task}) for text in texts]
        parameters = given_in({"outputDimensionality": asked.dimensions})
        return msgspec.json.encode({"instances": instances, "parameters": parameters})
    more = given_in({"taskType": task, "outputDimensionality": asked.dimensions})
    batch = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **more} for text in texts]
    return msgspec.json.encode({"requests": batch})


def decode_embeddings(body: bytes, request: PlainRequest) -> Completion:
    """Return the answer."""
    answer = heard(body, _Answer, WHOSE)
    if answer.predictions:
        tokens = sum([int(given.embeddings.statistics.token_count) for given in answer.predictions])
        return embeddings(request, [given.embeddings.values for given in answer.predictions], tokens)
    if not answer.embeddings:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer holds no embeddings.")
    vectors = [embedding.values for embedding in answer.embeddings]
    return embeddings(request, vectors, answer.usage_metadata.prompt_token_count)
