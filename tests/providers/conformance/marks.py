"""Over what the suite runs, and what its tests share."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import GatewayError
from app.core.model import StreamEvent, Weight
from app.core.ports import Encoded
from app.core.usage import Usage
from tests.providers.conformance.corpus import (
    chat,
)
from tests.providers.conformance.dialects import DIALECTS, FOREIGN, Dialect

DEEP = b'{"a":' * 50_000


def named(value: object) -> str:
    """Name a dialect, or anything else, in the list of tests."""
    return value.name if isinstance(value, Dialect) else str(value)


EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=named)
TRANSLATING = pytest.mark.parametrize("dialect", FOREIGN, ids=named)
ANSWERS = pytest.mark.parametrize(
    ("dialect", "name"), [(dialect, name) for dialect in FOREIGN for name in dialect.answers()], ids=named
)
STREAMS = pytest.mark.parametrize(
    ("dialect", "name"), [(dialect, name) for dialect in FOREIGN for name in dialect.streams()], ids=named
)


def tried(dialect: Dialect, raw: bytes) -> Encoded | GatewayError:
    """Return what becomes of a request: what is sent, or why it is refused."""
    try:
        return dialect.codec().encode(chat(raw), Target("p", dialect.tag))
    except GatewayError as error:
        return error


def with_unknown(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON with a member more in every object."""
    if isinstance(value, dict):
        return {**{key: with_unknown(item) for key, item in value.items()}, "wizard_unknown": {"a": [1]}}
    return [with_unknown(item) for item in value] if isinstance(value, list) else value


def without_arguments(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return an answer without what is the provider's own JSON, passed on as it came, and without its id."""
    body = msgspec.json.decode(raw)
    for choice in body["choices"]:
        choice["logprobs"] = choice["message"]["annotations"] = None
        for call in choice["message"].get("tool_calls", ()):
            call["function"]["arguments"] = call["id"] = None
    return {**body, "id": None}


def adds_up(usage: Usage | None) -> None:
    """Fail unless the numbers are consistent."""
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens
    assert usage.reasoning_tokens <= usage.completion_tokens


def weight_of(event: StreamEvent) -> Weight:
    """Return how much of an answer an event carries, by what it means."""
    assert event.chunk is not None
    weights = [Weight.NOTHING]
    for choice in event.chunk.choices:
        delta = choice.delta
        shown = msgspec.json.decode(event.frame[6:])["choices"][0]["delta"]
        if delta.content or delta.tool_calls or delta.refusal or choice.finish_reason or shown.get("images"):
            weights.append(Weight.ANSWER)
        elif delta.reasoning_content:
            weights.append(Weight.THOUGHT)
    return max(weights)
