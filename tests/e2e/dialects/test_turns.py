"""Conversations: what an official client sends back of an answer reaches the provider in the form it had there."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.dialects.speaking import ARGUMENTS, TEXT, THOUGHT, TOOL, TOOLS_TEXT, script
from tests.e2e.support.answers import in_turn, streamed, whole
from tests.e2e.support.upstream import Script, Upstream

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
USER: Any = [{"role": "user", "content": "Hi"}]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def last_body(upstream: Upstream, model: str) -> dict[str, Any]:
    """Return the last thing that a provider was asked."""
    found: dict[str, Any] = json.loads(upstream.received(model)[-1].body)
    return found


def turns(behind: str, case: str, *, stream: bool) -> Script:
    """Answer what a case says, and then with text."""
    return in_turn(script(behind, case, stream=stream), script(behind, "text", stream=stream))


def say(claude: anthropic.Anthropic, stream: bool, **request: Any) -> Any:  # noqa: ANN401
    """Ask for a message, streamed or not."""
    if not stream:
        return claude.messages.create(max_tokens=9000, **request)
    with claude.messages.stream(max_tokens=9000, **request) as events:
        return events.get_final_message()


def respond(gpt: openai.OpenAI, stream: bool, **request: Any) -> Any:  # noqa: ANN401
    """Ask for a response, streamed or not."""
    if not stream:
        return gpt.responses.create(**request)
    with gpt.responses.stream(**request) as events:
        return events.get_final_response()


def complete(gpt: openai.OpenAI, stream: bool, **request: Any) -> Any:  # noqa: ANN401
    """Ask for a completion, streamed or not."""
    if not stream:
        return gpt.chat.completions.create(**request)
    with gpt.chat.completions.stream(**request) as events:
        return events.get_final_completion()


# --- tools -----------------------------------------------------------------------------------------------------------

CALLED = json.dumps(ARGUMENTS)
IN_CHAT = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": TOOLS_TEXT, "tool_calls": [(TOOL, ARGUMENTS), ("now", {})]},
    {"role": "tool", "content": "Sunny"},
    {"role": "tool", "content": "Noon"},
]
IN_MESSAGES = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": [TOOLS_TEXT, (TOOL, ARGUMENTS), ("now", {})]},
    {"role": "user", "content": ["Sunny", "Noon"]},
]
IN_RESPONSES = ["Hi", TOOLS_TEXT, (TOOL, ARGUMENTS), ("now", {}), "Sunny", "Noon"]


@BOTH
@pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])
def test_tools_of_a_message(claude: anthropic.Anthropic, upstream: Upstream, behind: str, stream: bool) -> None:
    """Calls go back with their results, each to the id that it had."""
    upstream.on("caller", turns(behind, "tools", stream=stream))
    tools = [{"name": name, "description": "Look.", "input_schema": SCHEMA} for name in (TOOL, "now")]
    asked: Any = {"model": f"{behind}/caller", "tools": tools, "messages": USER}

    first = say(claude, stream, **asked)
    uses = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "content": content}
        for use, content in zip(uses, ("Sunny", "Noon"), strict=True)
    ]
    more = [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = say(claude, stream, **{**asked, "messages": [*USER, *more]})

    assert second.content[0].text == TEXT
    assert understood(behind, last_body(upstream, "caller")) == EXPECTED[behind]


@BOTH
@pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])
def test_tools_of_a_response(gpt: openai.OpenAI, upstream: Upstream, behind: str, stream: bool) -> None:
    """Calls go back with their results, each to the id that it had."""
    upstream.on("caller", turns(behind, "tools", stream=stream))
    tools = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in (TOOL, "now")]
    asked: Any = {"model": f"{behind}/caller", "tools": tools}

    first = respond(gpt, stream, **asked, input=USER)
    calls = [item for item in first.output if item.type == "function_call"]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": output}
        for call, output in zip(calls, ("Sunny", "Noon"), strict=True)
    ]
    second = respond(gpt, stream, **asked, input=[*USER, *first.output, *results])

    assert second.output_text == TEXT
    assert understood(behind, last_body(upstream, "caller")) == EXPECTED[behind]


@BOTH
@pytest.mark.parametrize("behind", ["anthropic", "responses"])
def test_tools_of_a_completion(gpt: openai.OpenAI, upstream: Upstream, behind: str, stream: bool) -> None:
    """Calls go back with their results, each to the id that it had."""
    upstream.on("caller", turns(behind, "tools", stream=stream))
    tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in (TOOL, "now")]
    asked: Any = {"model": f"{behind}/caller", "tools": tools, "messages": USER}

    message = complete(gpt, stream, **asked).choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": content}
        for call, content in zip(message.tool_calls, ("Sunny", "Noon"), strict=True)
    ]
    said = message.model_dump(exclude_none=True, exclude={"parsed"})
    second = complete(gpt, stream, **{**asked, "messages": [*USER, said, *results]})

    assert second.choices[0].message.content == TEXT
    assert understood(behind, last_body(upstream, "caller")) == EXPECTED[behind]


EXPECTED: dict[str, Any] = {"chat": IN_CHAT, "anthropic": IN_MESSAGES, "responses": IN_RESPONSES}


def understood(dialect: str, body: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return the conversation in a body, without what the dialects write in several ways; ids must fit."""
    match dialect:
        case "chat":
            return [_of_chat(message) for message in body["messages"]]
        case "anthropic":
            return [_of_messages(message) for message in body["messages"]]
        case _:
            return [_of_responses(item) for item in body["input"]]


def _of_chat(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message["role"], "content": _plain(message["content"])}
    if message.get("tool_calls"):
        functions = [call["function"] for call in message["tool_calls"]]
        assert [call["id"] for call in message["tool_calls"]] == ["call_0", "call_1"]
        found["tool_calls"] = [(function["name"], json.loads(function["arguments"])) for function in functions]
    if message["role"] == "tool":
        assert message["tool_call_id"] == {"Sunny": "call_0", "Noon": "call_1"}[found["content"]]
    return found


def _of_messages(message: dict[str, Any]) -> dict[str, Any]:
    if isinstance(message["content"], str):
        return message
    found: list[Any] = []
    for block in message["content"]:
        match block["type"]:
            case "text":
                found.append(block["text"])
            case "tool_use":
                assert block["id"] == {TOOL: "toolu_0", "now": "toolu_1"}[block["name"]]
                found.append((block["name"], block["input"]))
            case _:
                content = _plain(block["content"])
                assert block["tool_use_id"] == {"Sunny": "toolu_0", "Noon": "toolu_1"}[content]
                found.append(content)
    return {"role": message["role"], "content": found[0] if found == ["Hi"] else found}


def _of_responses(item: dict[str, Any]) -> Any:  # noqa: ANN401
    match item.get("type", "message"):
        case "message":
            return _plain(item["content"])
        case "function_call":
            assert item["call_id"] == {TOOL: "call_0", "now": "call_1"}[item["name"]]
            return item["name"], json.loads(item["arguments"])
        case _:
            output = _plain(item["output"])
            assert item["call_id"] == {"Sunny": "call_0", "Noon": "call_1"}[output]
            return output


def _plain(content: Any) -> str:  # noqa: ANN401
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


# --- reasoning -------------------------------------------------------------------------------------------------------

SIGNED = {"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmVk"}


@BOTH
def test_thinking_goes_back_signed_by_completions(gpt: openai.OpenAI, upstream: Upstream, stream: bool) -> None:
    """Who sends a message back as it was sends back the signature of its thinking."""
    upstream.on("thinker", turns("anthropic", "thinking", stream=stream))
    asked: Any = {"model": "anthropic/thinker", "messages": USER}

    message = complete(gpt, stream, **asked).choices[0].message
    said = message.model_dump(exclude_none=True, exclude={"parsed"})
    complete(gpt, stream, **{**asked, "messages": [*USER, said, *USER]})

    assert last_body(upstream, "thinker")["messages"][1]["content"] == [SIGNED, {"type": "text", "text": TEXT}]


@BOTH
def test_thinking_goes_back_signed_by_responses(gpt: openai.OpenAI, upstream: Upstream, stream: bool) -> None:
    """Items of reasoning carry the signature where OpenAI's own carry their encrypted content."""
    upstream.on("thinker", turns("anthropic", "thinking", stream=stream))
    asked: Any = {"model": "anthropic/thinker", "include": ["reasoning.encrypted_content"], "store": False}

    first = respond(gpt, stream, **asked, input=USER)
    respond(gpt, stream, **asked, input=[*USER, *first.output, *USER])

    assert last_body(upstream, "thinker")["messages"][1]["content"] == [SIGNED, {"type": "text", "text": TEXT}]


@BOTH
def test_reasoning_goes_back_encrypted_by_messages(
    claude: anthropic.Anthropic, upstream: Upstream, stream: bool
) -> None:
    """Thinking of a model of OpenAI's carries its item, which goes back as it was."""
    upstream.on("thinker", turns("responses", "thinking", stream=stream))
    asked: Any = {"model": "responses/thinker", "messages": USER}

    first = say(claude, stream, **asked)
    say(claude, stream, **{**asked, "messages": [*USER, {"role": "assistant", "content": first.content}, *USER]})

    (reasoning,) = [item for item in last_body(upstream, "thinker")["input"] if item.get("type") == "reasoning"]
    assert reasoning["encrypted_content"] == "gAAA"
    assert reasoning["summary"] == [{"type": "summary_text", "text": THOUGHT}]


@pytest.mark.parametrize("then", ["chat", "responses"])
def test_thinking_of_another_model(claude: anthropic.Anthropic, upstream: Upstream, then: str) -> None:
    """Thinking that only Anthropic's models can read is left out for others, and is no reason to refuse."""
    upstream.on("thinker", script("anthropic", "thinking", stream=False))
    upstream.on("other", script(then, "text", stream=False))

    first = say(claude, stream=False, model="anthropic/thinker", messages=USER)
    more = [*USER, {"role": "assistant", "content": first.content}, *USER]
    second = say(claude, stream=False, model=f"{then}/other", messages=more)

    assert second.content[0].text == TEXT
    assert "c2lnbmVk" not in json.dumps(last_body(upstream, "other"))


@pytest.mark.parametrize("then", ["anthropic", "responses"])
def test_foreign_thinking_is_no_forgery(claude: anthropic.Anthropic, upstream: Upstream, then: str) -> None:
    """Thinking of other models, shown in Anthropic's form, never reaches Anthropic as its own."""
    upstream.on("thinker", script("chat", "thinking", stream=False))
    upstream.on("other", script(then, "text", stream=False))

    first = say(claude, stream=False, model="chat/thinker", messages=USER)
    more = [*USER, {"role": "assistant", "content": first.content}, *USER]
    second = say(claude, stream=False, model=f"{then}/other", messages=more)

    assert [block.type for block in first.content] == ["thinking", "text"]
    assert second.content[0].text == TEXT
    assert '"signature"' not in json.dumps(last_body(upstream, "other"))


# What Gemini signs: each step's first call, or the end of a text. It refuses a call that comes back without.
GEMINI_CALL = {"functionCall": {"name": "now", "args": {}}, "thoughtSignature": "c2lnLWNhbGw="}
GEMINI_TEXT = {"text": TEXT, "thoughtSignature": "c2lnLXRleHQ="}


def gemini(*parts: dict[str, Any], stream: bool) -> Script:
    """Answer with these parts, each in an event of its own if streamed."""
    pieces = [[part] for part in parts] if stream else [list(parts)]
    answers = [{"candidates": [{"content": {"parts": piece, "role": "model"}}]} for piece in pieces]
    answers[-1]["candidates"][0]["finishReason"] = "STOP"  # type: ignore[assignment]
    told = [json.dumps(answer).encode() for answer in answers]
    return streamed(*[b"data: %b\n\n" % data for data in told]) if stream else whole(told[0])


@BOTH
def test_signatures_of_gemini_go_back_by_messages(
    claude: anthropic.Anthropic, upstream: Upstream, stream: bool
) -> None:
    """What Gemini signed goes back with its signature, although Anthropic's form has no place for one on a call."""
    upstream.on("gemini-3-pro", gemini(GEMINI_TEXT, GEMINI_CALL, stream=stream))
    asked: Any = {"model": "gemini/gemini-3-pro", "tools": [{"name": "now", "input_schema": SCHEMA}], "messages": USER}

    first = say(claude, stream, **asked)
    (use,) = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Noon"}
    more = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    say(claude, stream, **{**asked, "messages": [*USER, *more]})

    assert last_body(upstream, "gemini-3-pro")["contents"][1]["parts"] == [GEMINI_TEXT, GEMINI_CALL]


@BOTH
def test_signatures_of_gemini_go_back_by_responses(gpt: openai.OpenAI, upstream: Upstream, stream: bool) -> None:
    """Items of reasoning carry what Gemini signed, before the call that it belongs to."""
    upstream.on("gemini-3-pro", gemini(GEMINI_TEXT, GEMINI_CALL, stream=stream))
    tools = [{"type": "function", "name": "now", "parameters": SCHEMA, "strict": False}]
    asked: Any = {"model": "gemini/gemini-3-pro", "tools": tools}

    first = respond(gpt, stream, **asked, input=USER)
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Noon"}
    respond(gpt, stream, **asked, input=[*USER, *first.output, result])

    assert last_body(upstream, "gemini-3-pro")["contents"][1]["parts"] == [GEMINI_TEXT, GEMINI_CALL]


@BOTH
def test_signatures_of_gemini_go_back_by_completions(gpt: openai.OpenAI, upstream: Upstream, stream: bool) -> None:
    """Messages and calls carry what Gemini signed in `extra_content`, as at Google's compatible endpoint."""
    upstream.on("gemini-3-pro", gemini(GEMINI_TEXT, GEMINI_CALL, stream=stream))
    tools = [{"type": "function", "function": {"name": "now", "parameters": SCHEMA}}]
    asked: Any = {"model": "gemini/gemini-3-pro", "tools": tools}

    message = complete(gpt, stream, **asked, messages=USER).choices[0].message
    said = message.model_dump(exclude_none=True, exclude={"parsed"})
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Noon"}
    complete(gpt, stream, **asked, messages=[*USER, said, result])

    assert last_body(upstream, "gemini-3-pro")["contents"][1]["parts"] == [GEMINI_TEXT, GEMINI_CALL]


@pytest.mark.parametrize("then", ["anthropic", "responses"])
def test_signatures_of_gemini_are_nobody_elses(claude: anthropic.Anthropic, upstream: Upstream, then: str) -> None:
    """A conversation that goes on elsewhere goes without them."""
    upstream.on("gemini-3-pro", gemini(GEMINI_TEXT, stream=False))
    upstream.on("other", script(then, "text", stream=False))

    first = say(claude, stream=False, model="gemini/gemini-3-pro", messages=USER)
    more = [*USER, {"role": "assistant", "content": first.content}, *USER]
    second = say(claude, stream=False, model=f"{then}/other", messages=more)

    assert second.content[0].text == TEXT
    assert "c2lnLXRleHQ=" not in json.dumps(last_body(upstream, "other"))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])
def test_pictures_of_a_message(claude: anthropic.Anthropic, upstream: Upstream, behind: str) -> None:
    """Pictures arrive by their bytes or by their address."""
    upstream.on("seer", script(behind, "text", stream=False))
    sources: list[Any] = [
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "url", "url": "https://example.com/cat.png"},
    ]

    content = [{"type": "image", "source": source} for source in sources]
    say(claude, stream=False, model=f"{behind}/seer", messages=[{"role": "user", "content": content}])

    assert pictures(behind, last_body(upstream, "seer")) == PICTURES[behind]


@pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])
def test_pictures_of_a_response(gpt: openai.OpenAI, upstream: Upstream, behind: str) -> None:
    """Pictures arrive by their bytes or by their address."""
    upstream.on("seer", script(behind, "text", stream=False))
    addresses = (f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png")

    content = [{"type": "input_image", "image_url": address, "detail": "auto"} for address in addresses]
    respond(gpt, stream=False, model=f"{behind}/seer", input=[{"role": "user", "content": content}])

    assert pictures(behind, last_body(upstream, "seer")) == PICTURES[behind]


@pytest.mark.parametrize("behind", ["anthropic", "responses"])
def test_pictures_of_a_completion(gpt: openai.OpenAI, upstream: Upstream, behind: str) -> None:
    """Pictures arrive by their bytes or by their address."""
    upstream.on("seer", script(behind, "text", stream=False))
    addresses = (f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png")

    content = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    complete(gpt, stream=False, model=f"{behind}/seer", messages=[{"role": "user", "content": content}])

    assert pictures(behind, last_body(upstream, "seer")) == PICTURES[behind]


IN_DATA = [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png"]
PICTURES: dict[str, Any] = {
    "chat": IN_DATA,
    "responses": IN_DATA,
    "anthropic": [
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "url", "url": "https://example.com/cat.png"},
    ],
}


def pictures(dialect: str, body: dict[str, Any]) -> list[Any]:
    """Return where the pictures of the first message are."""
    match dialect:
        case "chat":
            return [part["image_url"]["url"] for part in body["messages"][0]["content"]]
        case "anthropic":
            return [block["source"] for block in body["messages"][0]["content"]]
        case _:
            return [part["image_url"] for part in body["input"][0]["content"]]


@pytest.mark.parametrize("more", [{}, {"input": ""}], ids=["a result", "nothing"])
def test_a_turn_goes_on_with_what_the_provider_keeps(
    gpt: openai.OpenAI, upstream: Upstream, more: dict[str, Any]
) -> None:
    """The tool was called in a response that the provider has, so its result comes alone; so may a stored prompt."""
    upstream.on("keeper", script("responses", "text", stream=False))
    result = {"type": "function_call_output", "call_id": "call_1", "output": "Noon"}
    asked: Any = {"model": "responses/keeper", "previous_response_id": "resp_0", "input": [result], **more}

    answer = gpt.responses.create(**asked)

    sent = last_body(upstream, "keeper")
    assert answer.output_text
    assert (sent["previous_response_id"], sent["input"]) == ("resp_0", asked["input"])
