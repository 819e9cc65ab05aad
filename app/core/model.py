"""
The canonical data model of requests, answers and the events of streamed answers.

The types declare the fields that the gateway reads or writes; everything else stays in `raw` (or an event's `frame`)
and is forwarded unchanged. They follow OpenAI's chat completions, the dialect that most clients speak; the codecs
translate the others. Fields of which only the presence or the bytes matter are `msgspec.Raw`, so that unknown values
are accepted.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import ClassVar, TypeAlias

import msgspec

from app.core.bodies import Upload
from app.core.dialects.absent import ABSENT
from app.core.usage import Usage


class Operation(Enum):
    """The kind of a request; the value is its name in the configuration, signals and cache keys."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    MODERATIONS = "moderations"
    RERANK = "rerank"
    IMAGES = "images"
    SPEECH = "speech"
    TRANSCRIPTIONS = "transcriptions"
    TRANSLATIONS = "translations"
    COUNT_TOKENS = "count_tokens"
    PASS = "pass"  # noqa: S105 - no password
    FILES = "files"
    BATCHES = "batches"


class Native(msgspec.Struct, frozen=True):
    """
    The original bytes of a request, an answer or an event in a dialect other than OpenAI's chat completions.

    They are forwarded instead of a translation if both sides speak that dialect and nothing was changed; code that
    changes the canonical form must drop them. `headers` are the request headers that determine how to read the body.
    """

    dialect: str
    raw: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content; `type` determines which of the fields is set."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: msgspec.Raw = msgspec.Raw()
    input_audio: msgspec.Raw = msgspec.Raw()
    file: msgspec.Raw = msgspec.Raw()


class FunctionCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function call requested by the model, or a piece of one; `arguments` is JSON text."""

    arguments: str | None = None
    name: str | None = None


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
    """The options of a stream."""

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
    """
    A chat request: its decoded fields and the body they came from, in OpenAI's dialect.

    `origin` is the client's own body, if it uses another dialect and nothing was changed since. `translated`: the
    gateway made `raw` from another dialect; it may then hold more than OpenAI's form allows (docs/dialects.md).
    """

    fields: ChatFields
    raw: bytes
    origin: Native | None = None
    translated: bool = False

    operation: ClassVar[Operation] = Operation.CHAT

    @property
    def model(self) -> str:
        """Return the model as the client named it."""
        return self.fields.model

    @property
    def stream(self) -> bool:
        """Return whether the client requests a stream."""
        return self.fields.stream is True

    @property
    def user(self) -> str | None:
        """Return the end user named by the client."""
        return self.fields.user

    @property
    def asks_for_usage(self) -> bool:
        """Return whether the client requests the usage of a stream."""
        options = self.fields.stream_options
        return options is not None and options.include_usage is True


class PlainRequest(msgspec.Struct, frozen=True):
    """
    A request other than chat (embeddings, moderations, ...): the gateway reads the model in its body and little else.

    `path` is the path below `/v1` of operations that have several, such as `images/edits`; `media_type` is that of the
    body. `text` is the natural-language text in the body, for bounds and estimates; it is never sent. `tokens` is the
    estimated token count, if that is what the client requests. `upload` is the rest of the body after `raw`, if it is
    not held in memory. `asks_for_usage` is False for a stream without usage, which only completions support.
    """

    operation: Operation
    model: str
    raw: bytes
    stream: bool = False
    path: str = ""
    media_type: str = "application/json"
    text: tuple[str, ...] = ()
    user: str | None = None
    tokens: int = 0
    method: str = "POST"
    upload: Upload | None = None
    asks_for_usage: bool = True


Request: TypeAlias = ChatRequest | PlainRequest


class Completion(msgspec.Struct, frozen=True):
    """
    A whole answer, in OpenAI's dialect; `raw` is the body as the provider sent it, or its translation.

    `native` is the provider's own body, if it uses another dialect.
    """

    raw: bytes
    usage: Usage | None = None
    finish_reasons: tuple[str, ...] = ()
    native: Native | None = None
    media_type: str = "application/json"


class CustomDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a call of a custom tool, which takes free text."""

    input: str | None = None
    name: str | None = None


class ToolDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A piece of a tool call; pieces with the same `index` belong together.

    `extra_content` is data of the provider that the client must send back with the call.
    """

    index: int = msgspec.field(default_factory=int)  # a default_factory, so that 0 is not omitted
    function: FunctionCall | None = None
    custom: CustomDelta | None = None
    id: str | None = None
    type: str | None = None
    extra_content: msgspec.Raw = ABSENT


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What one event adds to one choice.

    `reasoning` is another name for `reasoning_content`; `reasoning_details` are entries, each complete, that the client
    must send back to the provider (`core/dialects/reasoning.py`), and so is `extra_content`; `annotations` cite the
    sources of a text.
    """

    role: str | None = None
    content: str | list[msgspec.Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: msgspec.Raw = ABSENT
    tool_calls: list[ToolDelta] | None = None
    function_call: FunctionCall | None = None
    annotations: msgspec.Raw = ABSENT
    extra_content: msgspec.Raw = ABSENT


class ChunkChoice(msgspec.Struct, frozen=True):
    """The part of an event that belongs to one choice; `stop_reason` (of vLLM) is the stop text that ended it."""

    index: int = 0
    delta: Delta = Delta()
    finish_reason: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw()
    stop_reason: msgspec.Raw = msgspec.Raw()


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

    `frame` is the upstream's own SSE frame, blank line included; `chunk` is its decoded payload (None for `[DONE]` and
    for unknown payloads, which are forwarded too). `native` is the provider's own frame, if it uses another dialect;
    `frame` is then empty if the event has no equivalent in OpenAI's.
    """

    frame: bytes
    chunk: Chunk | None
    weight: Weight
    done: bool = False
    native: Native | None = None
