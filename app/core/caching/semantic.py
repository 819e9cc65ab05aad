"""
Semantic cache: the last user message is compared by its embedding, and everything else has to be equal.

Only plain chats are compared: without tools, text only, in OpenAI's dialect. What is found is an answer of the same
tenant to a similar question, so whoever enables this accepts a wrong answer now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from app.core.caching.canonical import Fields
from app.core.caching.keys import Keys
from app.core.caching.policy import has_media
from app.core.call import Call, CallOptions, Journal
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.model import ChatRequest, Completion, Operation, PlainRequest
from app.core.pipeline import Handler
from app.core.time_limit import TimeLimit

_NOT_PLAIN: Final = ("tools", "functions", "n", "web_search_options")


class Meaning(msgspec.Struct, frozen=True):
    """The question of a call: its last user message, `text`, and `space`, the cache key of everything else."""

    space: str
    text: str


class Near(msgspec.Struct, frozen=True):
    """The key of a stored answer, and how similar its question was (cosine, at most 1)."""

    key: str
    similarity: float


class VectorIndex(Protocol):
    """Vectors of questions, separate for each space. Additions are best effort, and may take effect later."""

    def add(self, space: str, key: str, vector: Sequence[float], kept_s: float) -> None:
        """Add a question whose answer is stored under `key` for `kept_s`."""

    async def nearest(self, space: str, vector: Sequence[float]) -> Near | None:
        """Return the most similar question; None if there is none in this space."""

    def forget(self, space: str, key: str) -> None:
        """Remove a question whose answer is gone."""

    def purge(self, prefix: str) -> None:
        """Remove the questions whose answers have keys that begin with `prefix`."""


def meaning_of(call: Call, fields: Fields, keys: Keys) -> Meaning | None:
    """Return what to compare of a call; None if it may only match exactly."""
    request = call.request
    if not isinstance(request, ChatRequest) or request.origin is not None or has_media(fields):
        return None
    messages = fields.get("messages")
    if any(name in fields for name in _NOT_PLAIN) or not isinstance(messages, list) or not messages:
        return None
    last = messages[-1]
    text = last.get("content") if isinstance(last, dict) and last.get("role") == "user" else None
    if not isinstance(text, str) or not text.strip():
        return None
    rest = {**fields, "messages": [*messages[:-1], {**last, "content": None}]}
    return Meaning(keys.key(call, rest), text)


class Semantics:
    """
    Finds answers to similar questions.

    Args:
        model: Makes the vectors; called like any other model.

        threshold: Least similarity (cosine); a call can only raise it.

        timeout_s: How long a vector may take before the call goes on without one.
    """

    def __init__(self, model: str, threshold: float, timeout_s: float, index: VectorIndex, clock: Clock) -> None:
        self._model = model
        self._threshold = threshold
        self._timeout_s = timeout_s
        self.index = index
        self._clock = clock

    async def vector(self, meaning: Meaning, call: Call, proceed: Handler[Call]) -> Sequence[float] | None:
        """Return the vector of a question; None if the embedding call fails or takes too long."""
        deadline = min(call.deadline, self._clock.now() + self._timeout_s)
        body = {"model": self._model, "input": meaning.text, "encoding_format": "float"}
        request = PlainRequest(Operation.EMBEDDINGS, self._model, msgspec.json.encode(body), text=(meaning.text,))
        embedding_call = msgspec.structs.replace(
            call, request=request, deadline=deadline, options=CallOptions(), journal=Journal(cost=call.journal.cost)
        )
        try:
            with TimeLimit(deadline):
                reply = await proceed(embedding_call)
        except (GatewayError, TimeoutError):
            return None
        return _vector_in(reply.body) if isinstance(reply.body, Completion) else None

    async def nearest(self, meaning: Meaning, vector: Sequence[float], least: float | None) -> Near | None:
        """Return the most similar question if it is similar enough."""
        near = await self.index.nearest(meaning.space, vector)
        return near if near is not None and near.similarity >= max(self._threshold, least or 0.0) else None


class _Vector(msgspec.Struct, frozen=True):
    embedding: list[float]


class _Vectors(msgspec.Struct, frozen=True):
    data: list[_Vector]


def _vector_in(completion: Completion) -> Sequence[float] | None:
    try:
        data: Any = msgspec.json.decode(completion.raw, type=_Vectors).data
    except msgspec.DecodeError:
        return None
    return data[0].embedding or None if data else None
