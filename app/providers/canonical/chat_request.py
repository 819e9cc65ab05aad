"""
Decodes every field of a chat request that a codec of another dialect may translate.

The edge decodes only the fields that the gateway itself reads (`ChatFields`). Codecs that cannot forward the body
decode it again, in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from app.core.bodies import decoded
from app.core.dialects.absent import ABSENT, is_given
from app.core.dialects.reasoning import ReasoningDetail
from app.core.json_text import OBJECT
from app.core.model import ChatRequest

Json: TypeAlias = dict[str, Any]  # an object, written member by member
Thought: TypeAlias = ReasoningDetail
_ANYTHING = msgspec.Raw(b"{}")


class ImageUrl(msgspec.Struct, frozen=True):
    """An image by its address or as a `data:` URL."""

    url: str
    detail: str | None = None


class InputAudio(msgspec.Struct, frozen=True):
    """A recording as base64; `format` is `wav`, `mp3` and the like."""

    data: str
    format: str


class InputFile(msgspec.Struct, frozen=True):
    """A document as a `data:` URL, the id of one that was uploaded before, or (beyond OpenAI's form) an address."""

    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


class Piece(msgspec.Struct, frozen=True):
    """
    One part of a message's content; `type` says which of the fields is filled.

    Beyond OpenAI's form: `cache_control` marks the end of a prefix to cache, `context` and `citations` belong to a
    document, and `block` is the whole part in the one `dialect` that has such a `type`.
    """

    type: str
    text: str = ""
    refusal: str = ""
    image_url: ImageUrl | None = None
    input_audio: InputAudio | None = None
    file: InputFile | None = None
    cache_control: msgspec.Raw = ABSENT
    prompt_cache_breakpoint: msgspec.Raw = ABSENT
    context: str | None = None
    citations: msgspec.Raw = ABSENT
    dialect: str | None = None
    block: msgspec.Raw = ABSENT


class CalledFunction(msgspec.Struct, frozen=True):
    """A function that the model called; `arguments` is JSON text."""

    name: str = ""
    arguments: str = ""


class CalledCustom(msgspec.Struct, frozen=True):
    """A custom tool that the model called, with free text."""

    name: str = ""
    input: str = ""


class Called(msgspec.Struct, frozen=True):
    """A tool call of an assistant message; `extra_content` must be returned to its provider."""

    id: str = ""
    type: str = "function"
    function: CalledFunction | None = None
    custom: CalledCustom | None = None
    extra_content: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT


class Turn(msgspec.Struct, frozen=True):
    """One message of the conversation; `is_error` (beyond OpenAI's form) says that a tool failed."""

    role: str
    content: str | list[Piece] | None = None
    name: str | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Thought] | None = None
    audio: msgspec.Raw = ABSENT
    extra_content: msgspec.Raw = ABSENT
    is_error: bool = False
    cache_control: msgspec.Raw = ABSENT

    def pieces(self) -> list[Piece]:
        """Return the content as parts, also if it is a string."""
        if isinstance(self.content, str):
            return [Piece("text", text=self.content)] if self.content else []
        return self.content or []

    def text(self) -> str:
        """Return the text of the content."""
        return self.content if isinstance(self.content, str) else "".join([piece.text for piece in self.pieces()])


class OfferedFunction(msgspec.Struct, frozen=True):
    """A function offered to the model; `parameters` is its JSON schema."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    strict: bool | None = None


class Offered(msgspec.Struct, frozen=True):
    """
    A tool offered to the model.

    Beyond OpenAI's form: `definition` is the whole tool in the one `dialect` that has such a `type`; the other fields
    are Anthropic's.
    """

    type: str
    function: OfferedFunction | None = None
    custom: msgspec.Raw = ABSENT
    dialect: str | None = None
    definition: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT
    defer_loading: msgspec.Raw = ABSENT
    eager_input_streaming: msgspec.Raw = ABSENT
    allowed_callers: msgspec.Raw = ABSENT
    input_examples: msgspec.Raw = ABSENT


class SchemaFormat(msgspec.Struct, frozen=True):
    """The JSON schema that the answer must match."""

    name: str = "answer"
    description: str | None = None
    schema: msgspec.Raw = ABSENT
    strict: bool | None = None

    @property
    def demanded(self) -> msgspec.Raw:
        """Return the schema, or one that allows any value, for dialects that require one."""
        return self.schema if is_given(self.schema) else _ANYTHING


class Format(msgspec.Struct, frozen=True):
    """The form of the answer: `text`, `json_object` or `json_schema`."""

    type: str = "text"
    json_schema: SchemaFormat | None = None


class Asked(msgspec.Struct, frozen=True):
    """The body of a chat request, as far as it can be translated."""

    model: str
    messages: list[Turn]
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Offered] | None = None
    tool_choice: msgspec.Raw = ABSENT
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    modalities: list[str] | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None

    @property
    def most_tokens(self) -> int | None:
        """Return the requested limit of the answer's tokens, if any."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Return the texts at which the answer ends."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Body(msgspec.Struct, frozen=True):
    """A fully decoded request: its translatable fields, and every member of the body by name."""

    asked: Asked
    members: Mapping[str, msgspec.Raw]


_ASKED: Final = msgspec.json.Decoder(Asked)


def read_whole(request: ChatRequest) -> Body:
    """Decode a chat request in full."""
    return Body(decoded(_ASKED.decode, request.raw), OBJECT.decode(request.raw))
