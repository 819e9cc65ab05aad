"""
What goes over the wire to and from Ollama, as far as the codec reads or writes it.

The names are those of its API (https://github.com/ollama/ollama/blob/main/docs/api.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.dialects.absent import ABSENT
from app.providers.canonical.talk import WireTool


class Function(msgspec.Struct, frozen=True, omit_defaults=True):
    """A called function; `arguments` is an object, `index` counts the calls of an answer."""

    name: str = ""
    arguments: msgspec.Raw = ABSENT
    index: int | None = None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool call; older servers give it no id."""

    function: Function
    id: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message; `images` are base64, `tool_name` says whose result a message of the role `tool` is."""

    role: str
    content: str
    thinking: str | None = None
    images: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()
    tool_name: str | None = None
    tool_call_id: str | None = None


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the answer is made."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    num_predict: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class ChatRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of `POST /api/chat`; without `stream: false` every answer is streamed."""

    model: str
    messages: Sequence[Message]
    stream: bool
    tools: Sequence[WireTool] = ()
    format: msgspec.Raw = ABSENT
    options: Options | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


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
