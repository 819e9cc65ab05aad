"""
Attributes of spans: those of OpenTelemetry's conventions for generative AI, and a few of the gateway's own.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ (opt-in attributes, which hold content, are omitted)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from app.core.call import Call, Journal, Target
from app.core.model import ChatRequest, Operation
from app.core.tracing import Attributes
from app.core.usage import Usage

_OPERATIONS: Final[Mapping[Operation, str]] = MappingProxyType(
    {Operation.CHAT: "chat", Operation.COMPLETIONS: "text_completion", Operation.EMBEDDINGS: "embeddings"}
)
_Found: TypeAlias = dict[str, str | int | float | bool | tuple[str, ...] | None]


class Peer(msgspec.Struct, frozen=True):
    """The server behind a provider's name: `system` is the conventions' name for its kind."""

    system: str
    address: str | None = None
    port: int | None = None


def of_call(call: Call) -> Attributes:
    """Describe the request."""
    request = call.request
    found: _Found = {
        "gen_ai.operation.name": operation(call),
        "gen_ai.request.model": request.model,
        "gen_ai.request.stream": request.stream,
        "gen_ai.conversation.id": call.options.session,
        "wizard.request_id": call.id,
        "wizard.endpoint": call.endpoint,
    }
    if isinstance(request, ChatRequest):
        fields = request.fields
        found |= {
            "gen_ai.request.max_tokens": fields.max_completion_tokens or fields.max_tokens,
            "gen_ai.request.temperature": fields.temperature,
            "gen_ai.request.top_p": fields.top_p,
            "gen_ai.request.frequency_penalty": fields.frequency_penalty,
            "gen_ai.request.presence_penalty": fields.presence_penalty,
            "gen_ai.request.seed": fields.seed,
            "gen_ai.request.choice.count": fields.n if fields.n != 1 else None,
        }
    return _told(found)


def operation(call: Call) -> str:
    """Return the conventions' name of the operation, or the gateway's own where they have none."""
    asked = call.request.operation
    return _OPERATIONS.get(asked, asked.value)


def of_target(call: Call, target: Target, peer: Peer) -> Attributes:
    """Describe whom a try asks."""
    found: _Found = {
        "gen_ai.operation.name": operation(call),
        "gen_ai.provider.name": peer.system,
        "gen_ai.request.model": target.model,
        "wizard.provider": target.provider,
        "server.address": peer.address,
        "server.port": peer.port,
    }
    return _told(found)


def of_journal(journal: Journal, peers: Mapping[str, Peer]) -> Attributes:
    """Describe what became of a call."""
    found: _Found = {
        "wizard.attempts": journal.attempts,
        "wizard.fallback.position": journal.position,
        "wizard.cache": journal.cache,
        "wizard.cost_usd": journal.cost.usd,
        "wizard.hedge": journal.hedge,
        "wizard.dropped_params": journal.dropped or None,
    }
    if journal.target is not None:
        provider = journal.target.provider
        found["gen_ai.response.model"] = journal.target.model
        found["gen_ai.provider.name"] = peers[provider].system if provider in peers else provider
        found["wizard.provider"] = provider
    return _told(found)


def of_answer(usage: Usage | None, finish_reasons: tuple[str, ...]) -> Attributes:
    """Describe an answer, as far as it is known."""
    found: _Found = {"gen_ai.response.finish_reasons": finish_reasons or None}
    if usage is not None:
        found |= {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens or None,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens or None,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
        }
    return _told(found)


def _told(found: _Found) -> Attributes:
    return {name: value for name, value in found.items() if value is not None}
