"""A whole answer of Cohere, to the canonical form; what streams share with it stands here as well."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.core.errors import TARGET_FAILED, TARGET_TIMEOUT, GatewayError
from app.core.model import Completion
from app.core.usage import PromptTokensDetails, Usage
from app.providers.canonical.answer import Choice, Message, annotated, cited, completion, said_call
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint
from app.providers.cohere import wire

WHOSE: Final = "Cohere's"
_FINISHES: Final[Mapping[str, str]] = MappingProxyType(
    {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
)


def decode_chat(body: bytes, model: str, mint: Mint) -> Completion:
    """Return the whole answer."""
    answer = heard(body, wire.ChatResponse, WHOSE)
    said = answer.message
    text = "".join([part.text or "" for part in said.content or ()])
    # What the model says of its plan before it calls tools is reasoning in everything but name.
    thoughts = "".join([said.tool_plan or "", *[part.thinking or "" for part in said.content or ()]])
    calls = [said_call(call.id, call.function.name, call.function.arguments or "{}") for call in said.tool_calls or ()]
    notes = [note for citation in said.citations or () for note in annotations_of(citation)]
    message = Message(
        "assistant",
        text or None,
        None,
        reasoning_content=thoughts or None,
        tool_calls=tuple(calls),
        annotations=annotated(notes),
    )
    choice = Choice(0, message, finish_of(answer.finish_reason))
    return completion(mint.stamp(model, answer.id), [choice], usage_of(answer.usage))


def annotations_of(citation: wire.Citation) -> list[dict[str, object]]:
    """Return the sources of a stretch of text that have an address; OpenAI's form knows no others."""
    sources = [source.document or source.tool_output for source in citation.sources or ()]
    return [
        cited(citation.start, citation.end, given.url, given.title if isinstance(given.title, str) else None)
        for given in sources
        if given is not None and isinstance(given.url, str) and given.url
    ]


def finish_of(reason: str) -> str:
    """Return the finish reason, or raise the failure of Cohere's own in which the answer ended."""
    if reason == "ERROR":
        raise GatewayError(TARGET_FAILED, "The provider could not finish its answer.")
    if reason == "TIMEOUT":
        raise GatewayError(TARGET_TIMEOUT, "The provider ran out of time within its answer.")
    return _FINISHES.get(reason, "stop")


def usage_of(given: wire.Usage | None) -> Usage | None:
    """Return the tokens that the model saw and said, or those that were billed where only they are told."""
    tokens = None if given is None else given.tokens or given.billed_units
    if given is None or tokens is None:
        return None
    prompt, answer = int(tokens.input_tokens), int(tokens.output_tokens)
    return Usage(prompt, answer, prompt + answer, PromptTokensDetails(int(given.cached_tokens)))
