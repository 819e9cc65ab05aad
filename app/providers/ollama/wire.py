"""
What comes over the wire from Ollama, as far as the codec reads it.

The names are those of its API (https://github.com/ollama/ollama/blob/main/docs/api.md).
"""

from __future__ import annotations

import msgspec

from app.core.dialects.absent import ABSENT


class Function(msgspec.Struct, frozen=True):
    """A called function; `arguments` is an object."""

    name: str = ""
    arguments: msgspec.Raw = ABSENT


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call; older servers give it no id."""

    function: Function
    id: str = ""


class Likely(msgspec.Struct, frozen=True):
    """A token and how likely it was, in OpenAI's form."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[Likely] = []


class SaidMessage(msgspec.Struct, frozen=True):
    """The answer's message, or a piece of it."""

    content: str = ""
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None


class ChatResponse(msgspec.Struct, frozen=True):
    """The body of an answer, and each line of a streamed one; only the last has the counts."""

    message: SaidMessage = SaidMessage()
    done: bool = False
    done_reason: str = "stop"
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[Likely] | None = None
    error: str | None = None
