"""What single dialects do that the suite cannot ask of all: their own options, blocks, and errors in mid-stream."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    CONTENT_BLOCKED,
    TARGET_FAILED,
    TARGET_TIMEOUT,
    UNSUPPORTED_FEATURE,
    GatewayError,
    Kind,
)
from tests.providers.conformance.corpus import decoded, frames, request, streamed
from tests.providers.conformance.dialects import DIALECTS, Dialect, aws_message

CONTENT, CALL = "messages[0].content[0]", "messages[0].tool_calls[0].type"
FUNCTION = {"name": "f", "arguments": "{}"}
OFFERED = [{"type": "function", "function": {"name": "f"}}]
MALFORMED = b'{"stopReason":"malformed_tool_use"}'
OWN = {"bedrock": "bedrock", "cohere": "cohere", "gemini": "google", "ollama": "ollama"}
LINKED = {"type": "file", "file": {"file_url": "https://a/b.pdf"}}
HELD = {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aGk="}}


def dialect(name: str) -> Dialect:
    """Return a dialect."""
    return next(given for given in DIALECTS if given.name == name)


def body_of(name: str, model: str = "", /, **fields: object) -> dict[str, Any]:
    """Return the body that a request with these fields becomes."""
    one = dialect(name)
    found = one.codec().encode(request("text", **fields), Target("p", model or one.tag))
    body: dict[str, Any] = msgspec.json.decode(found.body)
    return body


def refusal(name: str, /, **fields: object) -> GatewayError:
    """Return why a request with these fields is refused."""
    with pytest.raises(GatewayError) as caught:
        body_of(name, **fields)
    return caught.value


def says(*parts: object, role: str = "user", **more: object) -> list[dict[str, object]]:
    """Return a conversation of one message."""
    return [{"role": role, "content": list(parts), **more}]


def called(**call: object) -> list[dict[str, object]]:
    """Return a conversation with a tool call."""
    return [{"role": "assistant", "tool_calls": [{"id": "c", **call}]}]


def filed(url: str) -> list[dict[str, object]]:
    """Return a conversation with a file."""
    return says({"type": "file", "file": {"file_data": url}})


@pytest.mark.parametrize("name", [given.name for given in DIALECTS])
@pytest.mark.parametrize("more", [{}, {"schema": None}])
def test_an_answer_in_json_may_have_any_schema(name: str, more: dict[str, object]) -> None:
    """A form that names no schema is sound in every dialect, and in those that demand one it is that of any value."""
    form = {"type": "json_schema", "json_schema": {"name": "city", **more}}

    body = body_of(name, response_format=form)

    told = {
        "anthropic": lambda: body["output_config"]["format"]["schema"],
        "bedrock": lambda: msgspec.json.decode(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]),
        "openai-responses": lambda: body["text"]["format"]["schema"],
    }
    assert told.get(name, dict)() == {}


@pytest.mark.parametrize("url", ["https://a.[b/c.png", "https://a]b/c.png"])
def test_what_is_no_address_is_the_providers_to_refuse(url: str) -> None:
    """A dialect that guesses the type of a picture by its address takes the usual one."""
    (content,) = body_of("gemini", messages=says({"type": "image_url", "image_url": {"url": url}}))["contents"]

    assert content["parts"] == [{"fileData": {"mimeType": "image/jpeg", "fileUri": url}}]


@pytest.mark.parametrize("name", sorted(OWN))
def test_own_options_are_merged(name: str) -> None:
    """What only one dialect knows is merged into its body, objects one level deep, and others do not see it."""
    base = body_of(name, temperature=0.5)
    (inner,) = [key for key, value in base.items() if isinstance(value, dict)] or ["nested"]

    found = body_of(name, temperature=0.5, **{OWN[name]: {"own": [1], inner: {"deep": 2}}})

    assert found["own"] == [1]
    assert found[inner] == {**base.get(inner, {}), "deep": 2}
    assert body_of(name, temperature=0.5, **{OWN[name]: {}}) == base
    assert refusal(name, **{OWN[name]: "text"}).kind is UNSUPPORTED_FEATURE


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("bedrock", {"messages": says(HELD)}, f"{CONTENT}.image_url.url"),
        ("bedrock", {"messages": filed("https://a/b.pdf")}, f"{CONTENT}.file.file_data"),
        ("bedrock", {"messages": filed("data:a/b;base64,aGk=")}, f"{CONTENT}.file.file_data"),
        ("bedrock", {"messages": says({"type": "mystery"}, role="tool", tool_call_id="c")}, f"{CONTENT}.type"),
        ("bedrock", {"messages": called(function=FUNCTION), "tool_choice": "none"}, "tool_choice"),
        ("bedrock", {"reasoning_effort": "mystery"}, "reasoning_effort"),
        ("bedrock", {"messages": called(type="custom")}, CALL),
        ("cohere", {"reasoning_effort": "mystery"}, "reasoning_effort"),
        ("cohere", {"messages": called(type="custom")}, CALL),
        ("gemini", {"reasoning_effort": "mystery"}, "reasoning_effort"),
        ("gemini", {"modalities": ["smell"]}, "modalities"),
        ("gemini", {"modalities": ["text", "audio"]}, "modalities"),
        ("bedrock", {"messages": says(LINKED)}, f"{CONTENT}.file.file_url"),
        ("gemini", {"messages": called(type="custom")}, CALL),
        ("ollama", {"reasoning_effort": "mystery"}, "reasoning_effort"),
        ("ollama", {"messages": called(type="custom")}, CALL),
        ("ollama", {"reasoning_effort": 7}, "reasoning_effort"),
        ("gemini", {"tool_choice": {"type": "mystery"}}, "tool_choice"),
        ("gemini", {"tool_choice": [1]}, "tool_choice"),
        ("gemini", {"web_search_options": {}, "tools": OFFERED}, "web_search_options"),
        ("anthropic", {"web_search_options": 7}, "web_search_options"),
        ("bedrock", {"response_format": {"type": "grammar"}}, "response_format.type"),
    ],
)  # fmt: skip
def test_parts_are_refused_by_name(name: str, fields: dict[str, object], param: str) -> None:
    """What this dialect has no place for is named."""
    assert refusal(name, **fields).param == param


def test_bedrock_has_places_for_more() -> None:
    """Buckets, sound, documents, pictures in results, reasoning that is signed, and an empty result."""
    png = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    thoughts = [
        {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "unsigned"},
        {"type": "reasoning.text", "text": "other", "signature": "x", "format": "openai-responses-v1"},
    ]
    messages = [
        *says({"type": "image_url", "image_url": {"url": "s3://bucket/cat.jpg"}}, {"type": "refusal", "refusal": "no"}),
        *says({"type": "text", "text": ""}, role="assistant", reasoning_details=thoughts),
        {"role": "tool", "tool_call_id": "c", "content": [png]},
        {"role": "tool", "tool_call_id": "d", "content": ""},
    ]

    one, two, three = body_of("bedrock", messages=messages)["messages"]

    assert one["content"][0]["image"] == {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/cat.jpg"}}}
    assert one["content"][1] == {"text": "no"}
    assert [list(block["reasoningContent"]) for block in two["content"]] == [["reasoningText"], ["redactedContent"]]
    assert [len(block["toolResult"]["content"]) for block in three["content"]] == [1, 1]


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("anthropic.claude-sonnet-4-5-v1:0", {"thinking": {"type": "enabled", "budget_tokens": 16_000}}),
        (
            "eu.anthropic.claude-opus-4-7",
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        ("anthropic.claude-3-haiku", None),
        ("openai.gpt-oss-20b-1:0", {"reasoning_effort": "high"}),
        ("meta.llama3", None),
    ],
)
def test_bedrock_hands_effort_on_as_models_know_it(model: str, fields: object) -> None:
    """Converse has no word for it that all models understand."""
    assert body_of("bedrock", model, reasoning_effort="high").get("additionalModelRequestFields") == fields


@pytest.mark.parametrize(("model", "carried"), [("anthropic.claude-sonnet-4-5", True), ("meta.llama3", False)])
def test_bedrock_hands_thinking_on_to_claude(model: str, carried: bool) -> None:
    """What a client of Anthropic's says of thinking reaches Claude as it is, and is reported lost with others."""
    thinking = {"type": "enabled", "budget_tokens": 2000}

    found = dialect("bedrock").codec().encode(request("text", thinking=thinking), Target("p", model))

    fields = msgspec.json.decode(found.body).get("additionalModelRequestFields", {})
    assert fields == ({"thinking": thinking} if carried else {})
    assert found.dropped == (() if carried else ("thinking",))


def test_bedrock_marks_prefixes_where_the_model_caches() -> None:
    """Marks stand behind what they mark: system prompts, messages, calls, results; models without a cache get none."""
    mark = {"cache_control": {"type": "ephemeral"}}
    call = {"id": "c", "type": "function", "function": FUNCTION, **mark}
    messages = [
        {"role": "system", "content": "Be brief.", **mark},
        {"role": "user", "content": "Look.", **mark},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "seen", **mark}]},
    ]

    claude = body_of("bedrock", messages=messages)
    llama = body_of("bedrock", "meta.llama3", messages=messages)

    assert [list(block) for block in claude["system"]] == [["text"], ["cachePoint"]]
    assert [list(turn["content"][-1]) for turn in claude["messages"]] == [["cachePoint"]] * 3
    assert "cachePoint" not in msgspec.json.encode(llama).decode()


def test_bedrock_cites_documents_where_that_is_asked() -> None:
    """A document keeps its context and the wish for citations."""
    pdf = {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}}
    more = {"context": "A law.", "citations": {"enabled": True}}

    ((block,),) = [turn["content"] for turn in body_of("bedrock", messages=says({**pdf, **more}))["messages"]]

    assert {key: block["document"][key] for key in more} == more


def test_results_of_tools_are_objects_for_gemini() -> None:
    """JSON objects stay what they are, everything else becomes the member of one."""
    results = ['{"a": 1}', "{ no JSON", "prose", "[1]"]
    calls = [{"id": str(place), "type": "function", "function": FUNCTION} for place in range(len(results))]
    told = [{"role": "tool", "tool_call_id": str(place), "content": text} for place, text in enumerate(results)]

    found = body_of("gemini", messages=[{"role": "assistant", "tool_calls": calls}, *told])["contents"][1]["parts"]

    assert [part["functionResponse"]["response"] for part in found] == [{"a": 1}, *[{"result": t} for t in results[1:]]]


def test_cohere_cites_what_has_an_address() -> None:
    """Sources without one, and stretches without a source, have no form in OpenAI's answers; they are the caller's."""
    documents: list[object] = [{"id": "1"}, {"url": 7, "title": "t"}, {"url": "https://a", "title": ["t"]}]
    sources = [{"type": "tool", "tool_output": {}}, *[{"type": "document", "document": each} for each in documents], {}]
    citations = [{"start": 0, "end": 2, "sources": sources}, {"start": 0, "end": 1}]
    message = {"content": [{"type": "text", "text": "Hi"}], "citations": citations}

    said = msgspec.json.decode(decoded(dialect("cohere"), msgspec.json.encode({"message": message})).raw)

    (note,) = said["choices"][0]["message"]["annotations"]
    assert note["url_citation"] == {"start_index": 0, "end_index": 2, "url": "https://a", "title": "https://a"}


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-3-pro-preview", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_gemini_thinks_by_tokens_or_by_level(model: str, config: object) -> None:
    """Which of them depends on the model."""
    found = body_of("gemini", model, reasoning_effort="high", modalities=["text", "image"])["generationConfig"]

    assert (found["thinkingConfig"], found["responseModalities"]) == (config, ["TEXT", "IMAGE"])


def test_gemini_gets_its_signatures_back() -> None:
    """A signature goes back to where it came from; a call of another model passes under the documented word."""
    extra = {"google": {"thought_signature": "c2ln"}}
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "c", "type": "function", "function": function, "extra_content": extra}]
    foreign = [{"id": "d", "type": "function", "function": function, "extra_content": {"other": 1}}]
    messages = [
        {"role": "assistant", "content": "Hm.", "tool_calls": calls, "extra_content": extra},
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": None, "tool_calls": foreign},
    ]

    one, _, three = body_of("gemini", "gemini-3-pro-preview", messages=messages)["contents"]

    assert [part["thoughtSignature"] for part in one["parts"]] == ["c2ln", "c2ln"]
    assert three["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}, CONTENT_BLOCKED),
        ("gemini", {"candidates": [{"finishReason": "SAFETY"}]}, CONTENT_BLOCKED),
        ("gemini", {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, BAD_UPSTREAM_REPLY),
        ("gemini", {"error": {"code": 500, "status": "INTERNAL"}}, TARGET_FAILED),
        ("bedrock", {"output": {"message": {}}, "stopReason": "guardrail_intervened"}, CONTENT_BLOCKED),
        ("bedrock", {"output": {"message": {}}, "stopReason": "malformed_tool_use"}, BAD_UPSTREAM_REPLY),
        ("cohere", {"message": {}, "finish_reason": "ERROR"}, TARGET_FAILED),
        ("cohere", {"message": {}, "finish_reason": "TIMEOUT"}, TARGET_TIMEOUT),
        ("ollama", {"error": "it broke"}, TARGET_FAILED),
        ("ollama", {"message": {"content": "half"}, "done": False}, BAD_UPSTREAM_REPLY),
    ],
)
def test_answers_that_are_none(name: str, body: object, kind: Kind) -> None:
    """What was blocked, broken or put in place of an answer is told for what it is."""
    with pytest.raises(GatewayError) as caught:
        decoded(dialect(name), msgspec.json.encode(body))

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("name", "pieces", "code"),
    [
        ("gemini", [b'data: {"error":{"code":503,"status":"UNAVAILABLE"}}\n\n'], "target_busy"),
        ("gemini", [b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n'], "content_blocked"),
        ("cohere", [b'data: {"type":"message-end","delta":{"error":"x"}}\n\n'], "target_failed"),
        ("cohere", [b'data: {"type":7}\n\n'], "bad_upstream_reply"),
        ("ollama", [b'{"error":"model runner has stopped"}\n'], "target_failed"),
        ("bedrock", [aws_message({":message-type": "error", ":error-code": "x"}, b"")], "target_failed"),
        ("bedrock", [aws_message({":event-type": "contentBlockDelta"}, b"[]")], "bad_upstream_reply"),
        ("bedrock", [aws_message({":event-type": "messageStop"}, MALFORMED)], "bad_upstream_reply"),
    ],
)  # fmt: skip
def test_streams_that_are_none(name: str, pieces: list[bytes], code: str) -> None:
    """An error in a stream is of its own kind, in every dialect's form."""
    with pytest.raises(GatewayError) as caught:
        streamed(dialect(name), pieces)

    assert caught.value.kind.code == code


def test_what_a_dialect_does_not_know_yet_is_passed_over() -> None:
    """New kinds of events, and pieces without content, change nothing."""
    cohere = dialect("cohere")
    pieces = cohere.stream("text")
    odd = [
        b'data: {"type":"content-delta","delta":{"message":{}}}\n\n',
        b'data: {"type":"tool-call-delta","delta":{"message":{}}}\n\n',
        b'data: {"type":"novelty"}\n\n',
        b"data: [DONE]\n\n",
    ]
    bedrock = dialect("bedrock")
    messages = bedrock.stream("text")
    strange = [
        aws_message({":event-type": name}, b"{}") for name in ("novelty", "contentBlockStart", "contentBlockDelta")
    ]

    assert frames(streamed(cohere, [pieces[0], *odd, *pieces[1:]])) == frames(streamed(cohere, pieces))
    assert frames(streamed(bedrock, [*strange, *messages])) == frames(streamed(bedrock, messages))


def test_usage_may_be_missing() -> None:
    """An answer that tells no usage is an answer."""
    for name, body in {
        "gemini": {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        "bedrock": {"output": {"message": {"content": [{"text": "a"}]}}},
        "cohere": {"message": {"content": [{"type": "text", "text": "a"}]}, "finish_reason": "NEW"},
        "ollama": {"message": {"content": "a"}, "done": True},
    }.items():
        completion = decoded(dialect(name), msgspec.json.encode(body))

        assert (completion.usage, completion.finish_reasons) == (None, ("stop",))
