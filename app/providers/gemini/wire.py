"""
What comes over the wire from Gemini, as far as the codec reads it.

The names are those of the REST API (https://ai.google.dev/api/generate-content), written as Python has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT

WHOSE: Final = "Gemini's"


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The base of every object."""


class Blob(Wire, frozen=True):
    """Bytes as base64."""

    mime_type: str = ""
    data: str = ""


class FunctionCall(Wire, frozen=True):
    """A function that the model calls."""

    name: str = ""
    args: msgspec.Raw = ABSENT
    id: str | None = None


class Code(Wire, frozen=True):
    """Code that the model wrote and had executed."""

    code: str = ""
    language: str = ""


class CodeResult(Wire, frozen=True):
    """What the execution gave."""

    output: str = ""


class Part(Wire, frozen=True):
    """One part of a message: the field that is set says of which kind. `thought` marks reasoning."""

    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    inline_data: Blob | None = None
    function_call: FunctionCall | None = None
    executable_code: Code | None = None
    code_execution_result: CodeResult | None = None


class Content(Wire, frozen=True):
    """One message."""

    parts: Sequence[Part] = ()


class Modality(Wire, frozen=True):
    """How many tokens were of one kind."""

    modality: str = ""
    token_count: int = 0


class UsageMetadata(Wire, frozen=True):
    """What the call took. Thoughts are counted beside the candidates, cached tokens within the prompt."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    total_token_count: int = 0
    cached_content_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    prompt_tokens_details: list[Modality] = []
    candidates_tokens_details: list[Modality] = []


class LogprobsCandidate(Wire, frozen=True):
    """A token and how likely it was."""

    token: str = ""
    log_probability: float = 0.0


class TopCandidates(Wire, frozen=True):
    """The likeliest tokens of one place."""

    candidates: list[LogprobsCandidate] = []


class LogprobsResult(Wire, frozen=True):
    """How likely the tokens of a candidate were."""

    chosen_candidates: list[LogprobsCandidate] = []
    top_candidates: list[TopCandidates] = []


class Web(Wire, frozen=True):
    """A page that an answer rests on."""

    uri: str = ""
    title: str = ""


class GroundingChunk(Wire, frozen=True):
    """One source."""

    web: Web | None = None


class Segment(Wire, frozen=True):
    """A stretch of the answer, counted in bytes of UTF-8."""

    start_index: int = 0
    end_index: int = 0


class GroundingSupport(Wire, frozen=True):
    """Which sources a stretch of the answer rests on."""

    segment: Segment = Segment()
    grounding_chunk_indices: list[int] = []


class GroundingMetadata(Wire, frozen=True):
    """The sources of an answer."""

    grounding_chunks: list[GroundingChunk] = []
    grounding_supports: list[GroundingSupport] = []


class Candidate(Wire, frozen=True):
    """One of the answers, or in a stream a piece of it."""

    index: int = 0
    content: Content | None = None
    finish_reason: str | None = None
    logprobs_result: LogprobsResult | None = None
    grounding_metadata: GroundingMetadata | None = None


class PromptFeedback(Wire, frozen=True):
    """Why a prompt was not answered."""

    block_reason: str | None = None


class GenerateResponse(Wire, frozen=True):
    """The body of an answer, and of each event of a streamed one."""

    candidates: list[Candidate] = []
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str = ""
    response_id: str = ""
    error: msgspec.Raw = ABSENT
