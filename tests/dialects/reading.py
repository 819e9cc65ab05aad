"""
Read the bodies that providers are sent, from each native dialect back to the canonical form.

Written from the providers' documentation and without the codecs, whose inverse these are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from tests.dialects.talking import Json, simplest

_LEVELS = {0: "none", 1024: "low", 8192: "medium", 24_576: "high"}  # Gemini's budgets


def from_bedrock(body: Json) -> Json:
    """Read a body of Converse."""
    config, fields = body.get("inferenceConfig", {}), body.get("additionalModelRequestFields", {})
    messages = [{"role": "system", "content": simplest(list(_blocks([block])))} for block in body.get("system", ())]
    for message in body["messages"]:
        messages += _bedrock_turn(message)
    found: Json = {"messages": messages}
    names = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
    found |= {name: config[theirs] for theirs, name in names.items() if theirs in config}
    found |= {name: fields[name] for name in ("top_k",) if name in fields}
    if "toolConfig" in body:
        found["tools"] = list(_bedrock_tools(body["toolConfig"]["tools"]))
        choice = body["toolConfig"].get("toolChoice", {})
        if "tool" in choice:
            found["tool_choice"] = {"type": "function", "function": {"name": choice["tool"]["name"]}}
        elif choice:
            found["tool_choice"] = {"auto": "auto", "any": "required"}[next(iter(choice))]
    if "outputConfig" in body:
        given = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        shown = {"name": given["name"], "schema": json.loads(given["schema"])}
        found["response_format"] = {"type": "json_schema", "json_schema": shown}
    return found


def _bedrock_turn(message: Json) -> Iterator[Json]:
    rest = list(message["content"])
    while rest and "toolResult" in rest[0]:
        given = rest.pop(0)["toolResult"]
        error = {"is_error": True} if given.get("status") == "error" else {}
        parts = [_bedrock_part(part) for part in given["content"]]
        if rest and "cachePoint" in rest[0]:
            rest.pop(0)
            parts[-1]["cache_control"] = {"type": "ephemeral"}
        yield {"role": "tool", "tool_call_id": given["toolUseId"], "content": simplest(parts), **error}
    if message["role"] == "user" and rest:
        yield {"role": "user", "content": simplest(list(_blocks(rest)))}
    elif rest:
        yield _bedrock_answer(rest)


def _bedrock_answer(blocks: list[Json]) -> Json:
    spoken = list(_blocks([block for block in blocks if "text" in block or "cachePoint" in block]))
    answer: Json = {"role": "assistant", "content": simplest(spoken)}
    details = []
    for block in blocks:
        given = block.get("reasoningContent")
        if given is not None and "redactedContent" in given:
            details.append({"type": "reasoning.encrypted", "data": given["redactedContent"]})
        elif given is not None:
            details.append({"type": "reasoning.text", **given["reasoningText"]})
    if details:
        answer["reasoning_details"] = [{**detail, "format": "anthropic-claude-v1"} for detail in details]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    if calls:
        answer["tool_calls"] = [_call(call["toolUseId"], call["name"], call["input"]) for call in calls]
    return answer


def _blocks(blocks: Iterable[Json]) -> Iterator[Json]:
    """Yield parts; a cache point marks the one before it."""
    part: Json | None = None
    for block in blocks:
        if "cachePoint" in block:
            assert part is not None
            part["cache_control"] = {"type": "ephemeral"}
            continue
        if part is not None:
            yield part
        part = _bedrock_part(block)
    if part is not None:
        yield part


def _bedrock_part(block: Json) -> Json:
    if "image" in block:
        given = block["image"]
        return _picture(f"data:image/{given['format']};base64,{given['source']['bytes']}")
    if "document" in block:
        given = block["document"]
        return _file(given["name"], f"data:application/{given['format']};base64,{given['source']['bytes']}")
    return {"type": "text", "text": json.dumps(block["json"]) if "json" in block else block["text"]}


def _bedrock_tools(tools: list[Json]) -> Iterator[Json]:
    tool: Json | None = None
    for given in tools:
        if "cachePoint" in given:
            assert tool is not None
            tool["cache_control"] = {"type": "ephemeral"}
            continue
        if tool is not None:
            yield tool
        spec = given["toolSpec"]
        strict = {"strict": True} if spec.get("strict") else {}
        tool = _function(spec["name"], spec["description"], spec["inputSchema"]["json"], **strict)
    if tool is not None:
        yield tool


def from_gemini(body: Json) -> Json:
    """Read a body of `generateContent`; it knows calls by their order, so ids are numbers."""
    config = body.get("generationConfig", {})
    asked, answered = count(), count()
    system = body.get("systemInstruction", {}).get("parts", ())
    messages: list[Json] = [{"role": "system", "content": part["text"]} for part in system]
    for content in body["contents"]:
        parts = content["parts"]
        results = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
        for response in results:
            text, error = next(iter(response.values())), {"is_error": True} if "error" in response else {}
            messages.append({"role": "tool", "tool_call_id": f"call_{next(answered)}", "content": text, **error})
        said = [_gemini_part(part) for part in parts if not part.keys() & {"functionCall", "functionResponse"}]
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        if said or calls:
            role = "assistant" if content["role"] == "model" else "user"
            turn: Json = {"role": role, "content": simplest(said)}
            if calls:
                turn["tool_calls"] = [_call(f"call_{next(asked)}", call["name"], call["args"]) for call in calls]
            messages.append(turn)
    return {"messages": messages, **_gemini_knobs(config), **_gemini_tools(body)}


def _gemini_knobs(config: Json) -> Json:
    names = {
        "temperature": "temperature", "topP": "top_p", "topK": "top_k", "candidateCount": "n", "maxOutputTokens":
        "max_tokens", "stopSequences": "stop", "seed": "seed", "presencePenalty": "presence_penalty",
        "frequencyPenalty": "frequency_penalty", "responseLogprobs": "logprobs", "logprobs": "top_logprobs",
    }  # fmt: skip
    found = {name: config[theirs] for theirs, name in names.items() if theirs in config}
    if "responseJsonSchema" in config:
        found["response_format"] = {"type": "json_schema", "json_schema": {"schema": config["responseJsonSchema"]}}
    elif config.get("responseMimeType") == "application/json":
        found["response_format"] = {"type": "json_object"}
    if "thinkingConfig" in config:
        found["reasoning_effort"] = _LEVELS[config["thinkingConfig"]["thinkingBudget"]]
    return found


def _gemini_tools(body: Json) -> Json:
    if "tools" not in body:
        return {}
    offered = body["tools"][0]["functionDeclarations"]
    found: Json = {
        "tools": [_function(tool["name"], tool["description"], tool["parametersJsonSchema"]) for tool in offered]
    }
    choice = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if choice.get("allowedFunctionNames"):
        (name,) = choice["allowedFunctionNames"]
        found["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif choice:
        found["tool_choice"] = {"AUTO": "auto", "ANY": "required", "NONE": "none"}[choice["mode"]]
    return found


def _gemini_part(part: Json) -> Json:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    if "fileData" in part:
        return _picture(part["fileData"]["fileUri"])
    held = part["inlineData"]
    url = f"data:{held['mimeType']};base64,{held['data']}"
    return _picture(url) if held["mimeType"].startswith("image/") else _file(None, url)


def from_cohere(body: Json) -> Json:
    """Read a body of `/v2/chat`."""
    messages = []
    for given in body["messages"]:
        turn = {name: given[name] for name in ("role", "content", "tool_call_id", "tool_calls") if name in given}
        if "tool_plan" in given:
            turn["reasoning_content"] = given["tool_plan"]
        messages.append(turn)
    names = {
        "max_tokens": "max_tokens", "temperature": "temperature", "p": "top_p", "k": "top_k", "seed": "seed",
        "stop_sequences": "stop", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
    }  # fmt: skip
    found: Json = {"messages": messages}
    found |= {name: body[theirs] for theirs, name in names.items() if theirs in body}
    if "tools" in body:
        strict = {"strict": True} if body.get("strict_tools") else {}
        found["tools"] = [{**tool, "function": {**tool["function"], **strict}} for tool in body["tools"]]
    if "tool_choice" in body:
        found["tool_choice"] = {"REQUIRED": "required", "NONE": "none"}[body["tool_choice"]]
    form = body.get("response_format", {})
    if "json_schema" in form:
        found["response_format"] = {"type": "json_schema", "json_schema": {"schema": form["json_schema"]}}
    elif form:
        found["response_format"] = {"type": "json_object"}
    if "thinking" in body:
        found["reasoning_effort"] = {1024: "low", 4096: "medium", 16_384: "high"}[body["thinking"]["token_budget"]]
    return found


def from_ollama(body: Json) -> Json:
    """Read a body of `/api/chat`; pictures stand beside the text."""
    messages = []
    for given in body["messages"]:
        turn: Json = {"role": given["role"], "content": given["content"]}
        if "images" in given:
            turn["images"] = given["images"]
        if "thinking" in given:
            turn["reasoning_content"] = given["thinking"]
        if "tool_call_id" in given:
            turn["tool_call_id"] = given["tool_call_id"]
        if "tool_calls" in given:
            calls = [(call["id"], call["function"]) for call in given["tool_calls"]]
            turn["tool_calls"] = [_call(key, called["name"], called["arguments"]) for key, called in calls]
        messages.append(turn)
    found: Json = {"messages": messages}
    options: dict[str, Any] = body.get("options", {})
    found |= {{"num_predict": "max_tokens"}.get(name, name): value for name, value in options.items()}
    found |= {name: body[name] for name in ("tools", "logprobs", "top_logprobs") if name in body}
    if body.get("format") == "json":
        found["response_format"] = {"type": "json_object"}
    elif "format" in body:
        found["response_format"] = {"type": "json_schema", "json_schema": {"schema": body["format"]}}
    if "think" in body:
        found["reasoning_effort"] = body["think"]
    return found


def _call(key: str, name: str, arguments: Json) -> Json:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _function(name: str, about: str, schema: Json, **more: object) -> Json:
    return {"type": "function", "function": {"name": name, "description": about, "parameters": schema, **more}}


def _picture(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def _file(name: str | None, url: str) -> Json:
    return {"type": "file", "file": {"filename": name, "file_data": url}}
