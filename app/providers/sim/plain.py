"""
What the scripted provider answers to the operations that are no chat: the same to the same question, always.

An embedding is made of the words of its text, so that texts with the same words are near each other; a moderation flags
the texts that name a category; a rerank counts the words that a document shares with the query.
"""

from __future__ import annotations

import math
import re
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

DIMENSIONS: Final = 64
CATEGORIES: Final = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
_WORD = re.compile(r"\w+")

Texts: TypeAlias = str | Annotated[list[str | int | list[int]], Meta(min_length=1)]


class EmbeddingsAsked(msgspec.Struct, frozen=True):
    """A request for embeddings."""

    model: str
    input: Texts
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None


class ModerationsAsked(msgspec.Struct, frozen=True):
    """A request for moderations."""

    model: str
    input: str | list[str | dict[str, object]]


class RerankAsked(msgspec.Struct, frozen=True):
    """A request to order documents."""

    model: str
    query: str
    documents: list[str | dict[str, str]]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None


PlainAsked: TypeAlias = EmbeddingsAsked | ModerationsAsked | RerankAsked

# By the end of the address; each reads a body or raises `ValueError`.
READERS: Final[Mapping[str, Callable[[bytes], PlainAsked]]] = MappingProxyType(
    {
        "embeddings": msgspec.json.Decoder(EmbeddingsAsked).decode,
        "moderations": msgspec.json.Decoder(ModerationsAsked).decode,
        "rerank": msgspec.json.Decoder(RerankAsked).decode,
    }
)


def plain_answer(asked: PlainAsked, number: int) -> bytes:
    """Return the body of the answer; `number` is the call's place in the life of the provider."""
    if isinstance(asked, EmbeddingsAsked):
        answer = _embeddings(asked)
    elif isinstance(asked, ModerationsAsked):
        answer = {"id": f"modr-sim{number}", "model": asked.model, "results": _moderations(asked)}
    else:
        answer = {"id": f"rerank-sim{number}", "model": asked.model, **_ranking(asked)}
    return msgspec.json.encode(answer)


def listed(given: Texts) -> list[object]:
    """Return the texts, of which a single list of tokens is one."""
    whole = isinstance(given, str) or isinstance(given[0], int)
    return [given] if whole else list(given)


def _embeddings(asked: EmbeddingsAsked) -> dict[str, object]:
    inputs = [_words(given) for given in listed(asked.input)]
    dimensions = asked.dimensions or DIMENSIONS
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(_vector(words, dimensions), asked),
        }
        for index, words in enumerate(inputs)
    ]
    tokens = sum(map(len, inputs))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


def _words(given: object) -> list[str]:
    if isinstance(given, str):
        return [word.lower() for word in _WORD.findall(given)]
    return [str(token) for token in given] if isinstance(given, list) else []


def _vector(words: list[str], dimensions: int) -> list[float]:
    """Add a direction for each word, and bring the sum to length 1; no word at all points into the first one."""
    sums = [0.0] * dimensions
    for word in words:
        mark = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
        sums[(mark >> 1) % dimensions] += 1.0 if mark & 1 else -1.0
    length = math.sqrt(sum([value * value for value in sums]))
    if length == 0:
        return [1.0, *[0.0] * (dimensions - 1)]
    return [value / length for value in sums]


def _encoded(vector: list[float], asked: EmbeddingsAsked) -> list[float] | str:
    if asked.encoding_format != "base64":
        return vector
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _moderations(asked: ModerationsAsked) -> list[dict[str, object]]:
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    return [_moderation(item if isinstance(item, str) else str(item.get("text", ""))) for item in given]


def _moderation(text: str) -> dict[str, object]:
    found = {category: category in text.lower() for category in CATEGORIES}
    scores = {category: 0.99 if flagged else 0.01 for category, flagged in found.items()}
    return {"flagged": any(found.values()), "categories": found, "category_scores": scores}


def _ranking(asked: RerankAsked) -> dict[str, object]:
    query = set(_words(asked.query))
    texts = [given if isinstance(given, str) else given.get("text", "") for given in asked.documents]
    scores = [len(query & set(_words(text))) / max(1, len(query)) for text in texts]
    ranked = sorted(range(len(texts)), key=lambda index: (-scores[index], index))[: asked.top_n]
    results = [
        {
            "index": index,
            "relevance_score": scores[index],
            **({"document": {"text": texts[index]}} if asked.return_documents else {}),
        }
        for index in ranked
    ]
    tokens = len(_words(asked.query)) + sum([len(_words(text)) for text in texts])
    return {"results": results, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
