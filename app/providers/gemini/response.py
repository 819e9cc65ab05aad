"""A whole answer of Gemini, to the canonical form; what streams share with it stands here as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT
from app.core.dialects.chat import AnswerCall
from app.core.errors import BAD_UPSTREAM_REPLY, CONTENT_BLOCKED, GatewayError
from app.core.model import Completion
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage
from app.providers.canonical.answer import (
    Choice,
    Message,
    SaidImage,
    annotated,
    cited,
    completion,
    object_text,
    said_call,
)
from app.providers.canonical.stamps import Mint
from app.providers.gemini import wire

# https://ai.google.dev/api/generate-content#FinishReason; those that are not here end an answer like any other.
_FINISHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter",
        "MODEL_ARMOR": "content_filter",
        "IMAGE_SAFETY": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter",
        "IMAGE_RECITATION": "content_filter",
    }
)
# Ends of an answer that the model got wrong; another try may well succeed.
_BROKEN: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "NO_IMAGE"}
)


def decode_chat(answer: wire.GenerateResponse, model: str, mint: Mint) -> Completion:
    """Return the whole answer, or raise CONTENT_BLOCKED if Gemini said nothing for reasons of safety."""
    require_candidates(answer)
    stamp = mint.stamp(answer.model_version or model, answer.response_id)
    choices = [_choice(candidate, mint) for candidate in answer.candidates]
    return completion(stamp, choices, usage_of(answer.usage_metadata))


def require_candidates(answer: wire.GenerateResponse) -> None:
    """Raise what it means that there is no candidate; see `decode_chat`."""
    if answer.candidates:
        return
    feedback = answer.prompt_feedback
    if feedback is None or feedback.block_reason is None:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer holds no candidates.")
    raise blocked(feedback.block_reason)


def blocked(reason: str) -> GatewayError:
    """Return the failure of a call that Gemini refused for a reason of safety."""
    return GatewayError(CONTENT_BLOCKED, f"Gemini blocked the content ({reason[:60]}).")


def finish_of(candidate: wire.Candidate, *, called: bool, said: bool) -> str:
    """
    Return the finish reason of a candidate; `called` and `said` tell what it came to.

    One that ended before it said anything raises CONTENT_BLOCKED or BAD_UPSTREAM_REPLY.
    """
    reason = candidate.finish_reason or "STOP"
    finish = _FINISHES.get(reason, "stop")
    if not said and finish == "content_filter":
        raise blocked(reason)
    if not said and reason in _BROKEN:
        raise GatewayError(BAD_UPSTREAM_REPLY, f"The model's answer was malformed ({reason}).")
    return "tool_calls" if called and finish == "stop" else finish


def usage_of(given: wire.UsageMetadata | None) -> Usage | None:
    """Return the tokens as OpenAI counts them: what was thought is a part of the answer."""
    if given is None:
        return None
    prompt = given.prompt_token_count + given.tool_use_prompt_token_count
    answer = given.candidates_token_count + given.thoughts_token_count
    return Usage(
        prompt,
        answer,
        given.total_token_count or prompt + answer,
        PromptTokensDetails(given.cached_content_token_count, audio_tokens=_audio(given.prompt_tokens_details)),
        CompletionTokensDetails(given.thoughts_token_count, audio_tokens=_audio(given.candidates_tokens_details)),
    )


def extra_content(signature: str | None) -> msgspec.Raw:
    """Return a signature in the place where Google's compatible endpoint has it."""
    if signature is None:
        return ABSENT
    return msgspec.Raw(msgspec.json.encode({"google": {"thought_signature": signature}}))


def prose_of(part: wire.Part) -> str:
    """Return the text of a part that is part of the answer; code is shown as it would be in a chat."""
    if part.executable_code is not None:
        return f"\n```{part.executable_code.language.lower()}\n{part.executable_code.code}\n```\n"
    if part.code_execution_result is not None:
        return f"\n```\n{part.code_execution_result.output}\n```\n"
    return part.text or ""


def image_of(part: wire.Part) -> SaidImage | None:
    """Return the picture that a part holds, if it does."""
    held = part.inline_data
    if held is None or not held.mime_type.startswith("image/"):
        return None
    return SaidImage("image_url", {"url": f"data:{held.mime_type};base64,{held.data}"})


def logprobs_of(result: wire.LogprobsResult | None) -> msgspec.Raw:
    """Return OpenAI's log probabilities, or null."""
    if result is None:
        return msgspec.Raw(b"null")
    tops = [top.candidates for top in result.top_candidates]
    content = [
        {**_likely(chosen), "top_logprobs": [_likely(top) for top in (tops[place] if place < len(tops) else ())]}
        for place, chosen in enumerate(result.chosen_candidates)
    ]
    return msgspec.Raw(msgspec.json.encode({"content": content, "refusal": None}))


def _choice(candidate: wire.Candidate, mint: Mint) -> Choice:
    parts = candidate.content.parts if candidate.content is not None else ()
    answer = "".join([prose_of(part) for part in parts if not part.thought])
    thoughts = "".join([part.text or "" for part in parts if part.thought])
    calls = tuple(_calls(parts, mint))
    images = tuple([image for part in parts if (image := image_of(part)) is not None])
    message = Message(
        "assistant",
        answer or None,
        None,
        reasoning_content=thoughts or None,
        tool_calls=calls,
        images=images,
        annotations=annotated(annotations_of(candidate.grounding_metadata, answer)),
        extra_content=extra_content(_last_signature(parts)),
    )
    finish = finish_of(candidate, called=bool(calls), said=bool(answer or calls or images))
    return Choice(candidate.index, message, finish, logprobs_of(candidate.logprobs_result))


def _last_signature(parts: Sequence[wire.Part]) -> str | None:
    """Return the signature of the text; those of calls travel with the calls."""
    signatures = [part.thought_signature for part in parts if part.thought_signature and part.function_call is None]
    return signatures[-1] if signatures else None


def _calls(parts: Sequence[wire.Part], mint: Mint) -> Iterator[AnswerCall]:
    for part in parts:
        call = part.function_call
        if call is not None:
            call_id = call.id or mint.fresh("call_")
            yield said_call(call_id, call.name, object_text(call.args), extra_content(part.thought_signature))


def annotations_of(grounding: wire.GroundingMetadata | None, text: str) -> list[dict[str, object]]:
    """Return the sources of an answer as OpenAI's citations; Google counts bytes, OpenAI characters."""
    if grounding is None or not grounding.grounding_supports:
        return []
    encoded, sources = text.encode(), grounding.grounding_chunks
    found: list[dict[str, object]] = []
    for support in grounding.grounding_supports:
        segment = support.segment.start_index, support.segment.end_index
        start, end = (len(encoded[: max(0, place)].decode(errors="ignore")) for place in segment)
        for number in support.grounding_chunk_indices:
            web = sources[number].web if 0 <= number < len(sources) else None
            if web is not None:
                found.append(cited(start, end, web.uri, web.title))
    return found


def _audio(details: Sequence[wire.Modality]) -> int | None:
    return next((given.token_count for given in details if given.modality == "AUDIO"), None)


def _likely(candidate: wire.LogprobsCandidate) -> dict[str, object]:
    return {
        "token": candidate.token,
        "logprob": candidate.log_probability,
        "bytes": list(candidate.token.encode()),
    }
