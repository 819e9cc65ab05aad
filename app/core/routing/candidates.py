"""The configured capabilities of targets, and the features that a request needs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.call import Call, Target
from app.core.dialects.absent import is_given
from app.core.model import ChatRequest
from app.core.tokens import answer_tokens, prompt_of

FEATURES: Final = ("tools", "vision", "json_schema", "audio")


class Candidate(msgspec.Struct, frozen=True):
    """
    A target of a route with its configuration there.

    `weight` is its share of the traffic, prices are US dollars per million tokens. `capabilities` are some of
    `FEATURES`; None means all of them. `context_window` is in tokens; None means unbounded.
    """

    target: Target
    weight: float = 1.0
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    capabilities: frozenset[str] | None = None
    context_window: int | None = None

    @property
    def serves_all(self) -> bool:
        """Return whether the target has no known limitation."""
        return self.capabilities is None and self.context_window is None


class Needs(msgspec.Struct, frozen=True):
    """What a request needs: some of `FEATURES`, in that order, and about how many tokens it uses."""

    features: tuple[str, ...]
    tokens: int


class _Format(msgspec.Struct, frozen=True):
    type: str = ""


def needs_of(call: Call) -> Needs:
    """Return the features and the context length that a call needs."""
    request, prompt = call.request, prompt_of(call)
    if not isinstance(request, ChatRequest):
        return Needs((), prompt)
    found = set(_features(request))
    tokens = prompt + (answer_tokens(request) or 0)
    return Needs(tuple(feature for feature in FEATURES if feature in found), tokens)


def lacking(candidate: Candidate, needs: Needs) -> tuple[str, ...]:
    """Return the features that `candidate` lacks, and `context` last if the request is too long for it."""
    known = candidate.capabilities
    missing = [feature for feature in needs.features if known is not None and feature not in known]
    if candidate.context_window is not None and needs.tokens > candidate.context_window:
        missing.append("context")
    return tuple(missing)


def _features(request: ChatRequest) -> Iterator[str]:
    fields = request.fields
    if fields.tools:
        yield "tools"
    if _wants_schema(fields.response_format):
        yield "json_schema"
    for message in fields.messages:
        if message.tool_calls or message.role == "tool":
            yield "tools"
        for part in message.content if isinstance(message.content, list) else ():
            if part.type == "image_url":
                yield "vision"
            elif part.type == "input_audio":
                yield "audio"


def _wants_schema(response_format: msgspec.Raw) -> bool:
    if not is_given(response_format):
        return False
    try:
        return msgspec.json.decode(response_format, type=_Format).type == "json_schema"
    except msgspec.ValidationError:
        return False  # invalid: the provider rejects it
