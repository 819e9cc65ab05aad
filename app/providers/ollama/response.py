"""A whole answer of Ollama, to the canonical form; what streams share with it stands here as well."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Completion
from app.core.usage import Usage
from app.providers.canonical.answer import Choice, Message, completion, object_text, said_call
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint
from app.providers.ollama import wire
from app.providers.ollama.errors import error_in_answer


def decode_chat(body: bytes, model: str, mint: Mint) -> Completion:
    """Return the whole answer."""
    answer = read(body)
    if not answer.done:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is not complete.")
    said = answer.message
    calls = [
        said_call(call.id or mint.fresh("call_"), call.function.name, object_text(call.function.arguments))
        for call in said.tool_calls or ()
    ]
    message = Message(
        "assistant", said.content or None, None, reasoning_content=said.thinking or None, tool_calls=tuple(calls)
    )
    choice = Choice(0, message, finish_of(answer, called=bool(calls)), logprobs_of(answer.logprobs))
    return completion(mint.stamp(model), [choice], usage_of(answer))


def finish_of(answer: wire.ChatResponse, *, called: bool) -> str:
    """Return the finish reason; Ollama says `stop` of tool calls as well."""
    if answer.done_reason == "length":
        return "length"
    return "tool_calls" if called else "stop"


def usage_of(answer: wire.ChatResponse) -> Usage | None:
    """Return the tokens; a prompt that was all in the cache is not counted by some versions."""
    if answer.prompt_eval_count is None and answer.eval_count is None:
        return None
    prompt, said = answer.prompt_eval_count or 0, answer.eval_count or 0
    return Usage(prompt, said, prompt + said)


def logprobs_of(given: Sequence[wire.Likely] | None) -> msgspec.Raw:
    """Return OpenAI's log probabilities, or null."""
    if not given:
        return msgspec.Raw(b"null")
    return msgspec.Raw(msgspec.json.encode({"content": given, "refusal": None}))


def read(line: bytes) -> wire.ChatResponse:
    """Read an answer, or a line of one."""
    answer = heard(line, wire.ChatResponse, "Ollama's")
    if answer.error:
        raise error_in_answer(answer.error)
    return answer
