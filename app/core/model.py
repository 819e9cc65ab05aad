"""
The canonical model: what a chat request, an answer and a piece of a streamed answer are.

The types name the fields the gateway reads or writes; everything else stays in `raw` (or an event's `frame`) and
reaches the other side untouched. They follow OpenAI's chat completions, because that dialect is the common
denominator of the clients; the codecs translate the others. Fields of which only the presence or the bytes
matter are `msgspec.Raw`, so that a value we have not heard of yet is never refused.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content; `type` says which of the fields is filled."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: msgspec.Raw = msgspec.Raw()
    input_audio: msgspec.Raw = msgspec.Raw()
    file: msgspec.Raw = msgspec.Raw()


class FunctionCall(msgspec.Struct, frozen=True):
    """A function the model wants called; `arguments` is JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """One tool call of an assistant message."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None


class Message(msgspec.Struct, frozen=True):
    """One turn of the conversation."""

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class FunctionSpec(msgspec.Struct, frozen=True):
    """A function offered to the model; `parameters` is its JSON schema."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()


class Tool(msgspec.Struct, frozen=True):
    """A tool offered to the model."""

    type: str
    function: FunctionSpec | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What the client wants to see in the stream."""

    include_usage: bool | None = None


class ChatFields(msgspec.Struct, frozen=True):
    """The body of a chat request, decoded and type-checked; unknown fields are allowed and stay in the body."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: msgspec.Raw = msgspec.Raw()
    response_format: msgspec.Raw = msgspec.Raw()
    user: str | None = None
    prompt_cache_key: str | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """A chat request: its decoded fields and the body they came from, in OpenAI's dialect."""

    fields: ChatFields
    raw: bytes

    @property
    def model(self) -> str:
        """Return the model as the client named it."""
        return self.fields.model

    @property
    def stream(self) -> bool:
        """Say whether the client wants the answer as a stream."""
        return bool(self.fields.stream)


class Completion(msgspec.Struct, frozen=True):
    """A whole answer, in OpenAI's dialect; `raw` is the body as the provider sent it."""

    raw: bytes
    usage: Usage | None = None
    finish_reasons: tuple[str, ...] = ()


class FunctionDelta(msgspec.Struct, frozen=True):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolDelta(msgspec.Struct, frozen=True):
    """A piece of a tool call; pieces with the same `index` belong together."""

    index: int = 0
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct, frozen=True):
    """What one event adds to one choice. `reasoning` is what some servers call `reasoning_content`."""

    role: str | None = None
    content: str | list[msgspec.Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolDelta] | None = None
    function_call: FunctionDelta | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """One choice's share of an event."""

    index: int = 0
    delta: Delta = Delta()
    finish_reason: str | None = None


class Chunk(msgspec.Struct, frozen=True):
    """The payload of one event of a streamed answer."""

    choices: list[ChunkChoice] = []
    usage: Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


class Weight(IntEnum):
    """
    How much of an answer an event carries, for the commit rule.

    NOTHING: role-only, created, ping, usage. THOUGHT: reasoning. ANSWER: text, tool calls, refusals, the finish.
    """

    NOTHING = 0
    THOUGHT = 1
    ANSWER = 2


class StreamEvent(msgspec.Struct, frozen=True):
    """
    One event of a streamed answer.

    `frame` is the upstream's own SSE frame, blank line included; `chunk` is its meaning (None for `[DONE]` and for
    payloads we do not know, which are forwarded all the same).
    """

    frame: bytes
    chunk: Chunk | None
    weight: Weight
    done: bool = False
